//! What the machine tells its listeners and its daemon alike: local time, names of errors, resident pages, state folders.

pub mod code_pages;
pub mod errno;
pub mod heap;
pub mod local_time;
pub mod nss;
pub mod state_folder;
