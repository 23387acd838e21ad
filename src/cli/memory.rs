//! The allocator's settings: what a run needed goes back to the system when it ends.
//!
//! glibc gives every few threads a heap of their own, raises by itself the size from which memory is mapped one piece at a
//! time, and then keeps what is freed. A backup's buffers and zstd's contexts are megabytes, allocated on ever other
//! threads: after a handful of runs a daemon that had nothing to do held 230 MB. See docs/decisions/0005.

/// glibc's numbers for mallopt(3).
#[cfg(target_env = "gnu")]
const SETTINGS: [(i32, i32); 3] = [
    // M_MMAP_THRESHOLD: larger pieces are mapped, and unmapped when they are freed.
    (-3, 1024 * 1024),
    // M_TRIM_THRESHOLD: more than this at a heap's end is given back.
    (-1, 1024 * 1024),
    // M_ARENA_MAX: heaps.
    (-8, 2),
];

/// Sets it up. Must be called while the process has only one thread.
#[cfg(target_env = "gnu")]
pub(super) fn give_back() {
    #[allow(unsafe_code, reason = "the allocator's settings are reached by no other way")]
    unsafe extern "C" {
        /// mallopt(3): returns 0 for what it does not know, and changes nothing then.
        safe fn mallopt(parameter: i32, value: i32) -> i32;
    }
    for (parameter, value) in SETTINGS {
        mallopt(parameter, value);
    }
}

/// Other allocators are left as they are.
#[cfg(not(target_env = "gnu"))]
pub(super) fn give_back() {}
