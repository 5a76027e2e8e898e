//! The heap of the C library: how much of what is free it keeps, and giving the rest back.
//!
//! glibc gives the end of the heap back as soon as 128 KiB of it are free, which costs more than everything else when
//! buffers of 64 KiB come and go; and it keeps for ever what is free in the middle. Other C libraries are left alone.

/// Lets up to `bytes` lie free at the end of the heap before they are given back by themselves.
pub fn set_trim_threshold(bytes: i32) {
    glibc::keep(bytes);
}

/// Gives back everything that is free.
pub fn trim() {
    glibc::trim();
}

#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the C library's own functions")]
mod glibc {
    use std::ffi::c_int;

    /// malloc.h.
    const M_TRIM_THRESHOLD: c_int = -1;

    unsafe extern "C" {
        fn mallopt(param: c_int, value: c_int) -> c_int;
        fn malloc_trim(pad: usize) -> c_int;
    }

    pub(super) fn keep(bytes: i32) {
        // SAFETY: both arguments are plain numbers; a value that glibc does not like changes nothing.
        let _ = unsafe { mallopt(M_TRIM_THRESHOLD, bytes) };
    }

    pub(super) fn trim() {
        // SAFETY: it touches only memory that is not allocated.
        let _ = unsafe { malloc_trim(0) };
    }
}

#[cfg(not(target_env = "gnu"))]
mod glibc {
    pub(super) const fn keep(_bytes: i32) {}
    pub(super) const fn trim() {}
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_in_use_stays() {
        super::set_trim_threshold(1 << 20);
        let kept = vec![7_u8; 1 << 20];
        drop(vec![1_u8; 1 << 20]);
        super::trim();
        assert!(kept.iter().all(|byte| *byte == 7));
    }
}
