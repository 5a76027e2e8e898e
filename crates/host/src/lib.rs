//! The machine, as the daemon and the listeners need it: local time, names of errors, memory, state folders.

pub mod code_pages;
pub mod errno;
pub mod heap;
pub mod journal;
pub mod line_log;
pub mod local_time;
pub mod lock_file;
pub mod main_log;
pub mod nss;
pub mod own_file;
pub mod state_folder;
pub mod supervisor_folder;
