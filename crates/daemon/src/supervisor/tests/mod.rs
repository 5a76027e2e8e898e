//! The whole owner, driven without processes by a clock that the test sets.

mod fake;
mod journal;
mod property;
mod scenarios;

use fake::Fake;
