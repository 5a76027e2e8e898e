//! The name service of a static binary: users and hosts are looked up without the machine's plug-ins.
//!
//! glibc loads what nsswitch.conf names (`systemd`, `sss`, `mdns4_minimal`) as shared libraries. They bring a second C
//! library into a static program, and the first call into them is a segmentation fault. What is built into glibc
//! itself since 2.34 is enough for most machines: files, and DNS for hosts.

/// Leaves it at the files and DNS where the C library is linked statically; anywhere else nsswitch.conf counts. To be
/// called before anything is looked up.
pub fn disable_nss_plugins() {
    built_in::choose();
}

#[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
#[expect(unsafe_code, reason = "the C library's own function")]
mod built_in {
    use std::ffi::{CStr, c_char, c_int};

    /// A database of nsswitch.conf, and what is asked for it.
    const SERVICES: [(&CStr, &CStr); 4] =
        [(c"passwd", c"files"), (c"group", c"files"), (c"initgroups", c"files"), (c"hosts", c"files dns")];

    unsafe extern "C" {
        /// nss.h: "overrides for the database named the service list".
        fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
    }

    pub(super) fn choose() {
        for (database, services) in SERVICES {
            // SAFETY: both are strings that end with a zero and live for ever; no thread looks anything up yet. A glibc
            // that does not know the database says so and changes nothing.
            let _ = unsafe { __nss_configure_lookup(database.as_ptr(), services.as_ptr()) };
        }
    }
}

#[cfg(not(all(target_env = "gnu", target_feature = "crt-static")))]
mod built_in {
    pub(super) const fn choose() {}
}
