//! Memory pages that hold a secret: out of swap, core dumps and forked children.
//!
//! The only module of this crate with `unsafe` code. Each page range is mapped for one secret,
//! wiped and unmapped on drop, and read through one method.
#![expect(
    unsafe_code,
    reason = "mapping, locking and wiping pages has no safe interface"
)]

use std::ptr::{self, NonNull};
use std::sync::atomic::{Ordering, compiler_fence};

use serde::Serialize;
use zeroize::Zeroizing;

/// How well the pages of a secret are protected. The machine decides; `doctor` reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryProtection {
    /// Ordinary memory, wiped on drop; it may reach swap, because a limit is used up.
    Wiped,
    /// Locked in memory, left out of core dumps and wiped in forked children.
    Locked,
    /// `memfd_secret(2)`: unmapped from the kernel itself, unreadable even through `/proc/PID/mem`.
    Secret,
}

impl MemoryProtection {
    /// Finds out what this process gets at the moment, by asking for one page.
    #[must_use]
    pub fn probe() -> Self {
        SecretBytes::copy_of(&[0]).protection()
    }
}

/// A byte string in pages of its own; on the heap if the system has no pages left to give.
pub(crate) enum SecretBytes {
    Pages { pages: Pages, len: usize },
    Heap(Zeroizing<Box<[u8]>>),
}

impl SecretBytes {
    /// Copies `bytes`. The caller wipes the source.
    pub(crate) fn copy_of(bytes: &[u8]) -> Self {
        let Some(pages) = Pages::map(bytes.len()) else {
            return Self::Heap(Zeroizing::new(bytes.into()));
        };
        // SAFETY: the mapping is at least `bytes.len()` long, writable, ours alone, and new, so it
        // cannot overlap `bytes`.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), pages.start.as_ptr(), bytes.len()) };
        Self::Pages {
            pages,
            len: bytes.len(),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            // SAFETY: `copy_of` initialised the first `len` bytes, the mapping lives as long as
            // `self`, and nothing writes to it before `drop`.
            Self::Pages { pages, len } => unsafe {
                std::slice::from_raw_parts(pages.start.as_ptr(), *len)
            },
            Self::Heap(bytes) => bytes,
        }
    }

    pub(crate) fn protection(&self) -> MemoryProtection {
        match self {
            Self::Pages { pages, .. } => pages.protection,
            Self::Heap(_) => MemoryProtection::Wiped,
        }
    }
}

/// A page-aligned mapping, readable and writable by this process alone.
pub(crate) struct Pages {
    start: NonNull<u8>,
    bytes: usize,
    protection: MemoryProtection,
}

// SAFETY: `Pages` owns its mapping exclusively; the kernel ties it to the process, not to a thread.
unsafe impl Send for Pages {}
// SAFETY: a shared `Pages` is only read, see `SecretBytes::bytes`.
unsafe impl Sync for Pages {}

impl Pages {
    fn map(at_least: usize) -> Option<Self> {
        let bytes = at_least.max(1).next_multiple_of(page_size());
        Self::map_secret(bytes).or_else(|| Self::map_private(bytes))
    }

    /// Maps `memfd_secret` pages: absent before Linux 5.14 and in many containers.
    fn map_secret(bytes: usize) -> Option<Self> {
        let length = libc::off_t::try_from(bytes).ok()?;
        // SAFETY: the call takes flags only, and returns a new descriptor or -1.
        let fd = unsafe { libc::syscall(libc::SYS_memfd_secret, libc::O_CLOEXEC) };
        let fd = libc::c_int::try_from(fd).ok().filter(|fd| *fd >= 0)?;
        // SAFETY: `fd` was opened above and is used by nobody else.
        let start = unsafe {
            if libc::ftruncate(fd, length) == 0 {
                map_pages(bytes, libc::MAP_SHARED, fd)
            } else {
                None
            }
        };
        // SAFETY: `fd` was opened above; the mapping does not need it any longer.
        unsafe { libc::close(fd) };
        let start = start?;
        // Being shared, the pages would stay readable in a forked child, so they are not given to it.
        // SAFETY: the range was mapped above.
        unsafe { libc::madvise(start.as_ptr().cast(), bytes, libc::MADV_DONTFORK) };
        Some(Self {
            start,
            bytes,
            protection: MemoryProtection::Secret,
        })
    }

    /// Maps ordinary pages and protects them as far as the limits of the process allow.
    fn map_private(bytes: usize) -> Option<Self> {
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches nothing else.
        let start = unsafe { map_pages(bytes, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1) }?;
        // SAFETY: the range was mapped above.
        let locked = unsafe {
            let range = start.as_ptr().cast();
            let kept_from_dumps = libc::madvise(range, bytes, libc::MADV_DONTDUMP) == 0;
            let wiped_on_fork = libc::madvise(range, bytes, libc::MADV_WIPEONFORK) == 0;
            libc::mlock(range, bytes) == 0 && kept_from_dumps && wiped_on_fork
        };
        let protection = if locked {
            MemoryProtection::Locked
        } else {
            MemoryProtection::Wiped
        };
        Some(Self {
            start,
            bytes,
            protection,
        })
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let start = self.start.as_ptr();
        for offset in 0..self.bytes {
            // SAFETY: `offset` is inside the mapping, which is writable and still ours. Volatile, so
            // that the wipe is not dropped as a dead store.
            unsafe { ptr::write_volatile(start.add(offset), 0) };
        }
        compiler_fence(Ordering::SeqCst);
        // SAFETY: the range was mapped by `map_secret` or `map_private` and is unmapped once.
        // Unmapping also unlocks it. An error could only mean a range that is not mapped.
        unsafe { libc::munmap(start.cast(), self.bytes) };
    }
}

/// Maps `bytes` bytes, readable and writable.
///
/// # Safety
/// `fd` must be valid for `flags`, and `flags` must not contain `MAP_FIXED`.
unsafe fn map_pages(bytes: usize, flags: libc::c_int, fd: libc::c_int) -> Option<NonNull<u8>> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: without `MAP_FIXED` the kernel picks a free range; the rest is the caller's promise.
    let start = unsafe { libc::mmap(ptr::null_mut(), bytes, access, flags, fd, 0) };
    if start == libc::MAP_FAILED {
        return None;
    }
    NonNull::new(start.cast())
}

fn page_size() -> usize {
    // SAFETY: `sysconf` reads a constant of the system.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_went_in() {
        for len in [0, 1, 40, 4095, 4096, 4097, 20_000] {
            let source: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            let kept = SecretBytes::copy_of(&source);
            assert_eq!(kept.bytes(), source);
        }
    }

    #[test]
    fn private_pages_are_the_fallback_and_say_what_they_reached() {
        let pages = Pages::map_private(page_size()).unwrap();
        assert!(pages.protection < MemoryProtection::Secret);
    }

    #[test]
    fn every_mapping_is_returned() {
        let mapped = || {
            std::fs::read_to_string("/proc/self/maps")
                .unwrap()
                .lines()
                .count()
        };
        drop(SecretBytes::copy_of(b"warm up"));
        let before = mapped();
        for _ in 0..1000 {
            drop(SecretBytes::copy_of(b"one of many"));
        }
        assert!(
            mapped() <= before + 8,
            "mappings grew from {before} to {}",
            mapped()
        );
    }

    #[test]
    fn the_level_is_known_before_any_secret_exists() {
        assert_eq!(
            MemoryProtection::probe(),
            SecretBytes::copy_of(b"x").protection()
        );
    }
}
