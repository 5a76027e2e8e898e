//! Files and sockets that are opened by their names: other users may have put something else there.

pub(crate) mod safe_open;
pub(crate) mod special_file;
pub(crate) mod unix_socket;
