//! Memory for secrets: pages of their own, kept out of swap and core dumps where the system allows, wiped on drop.

use std::fmt;
use std::ptr;

use zeroize::Zeroize as _;

/// How well a secret's memory is protected. Both are best effort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protection {
    /// Whether the pages are kept out of swap.
    pub locked: bool,
    /// Whether the pages are left out of core dumps.
    pub undumped: bool,
}

/// The smallest page of the systems this runs on; larger ones hold it whole.
const PAGE_BYTES: usize = 4096;

#[repr(C, align(4096))]
struct Bytes([u8; PAGE_BYTES]);

/// A page for secrets.
pub(crate) struct SecretPage {
    bytes: Box<Bytes>,
    protection: Protection,
}

impl SecretPage {
    /// A page of zeros.
    pub(crate) fn new() -> Self {
        let mut bytes = Box::new(Bytes([0; PAGE_BYTES]));
        let protection = protect(&mut bytes);
        Self { bytes, protection }
    }

    pub(crate) fn protection(&self) -> Protection {
        self.protection
    }

    pub(crate) fn bytes(&self) -> &[u8; PAGE_BYTES] {
        &self.bytes.0
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8; PAGE_BYTES] {
        &mut self.bytes.0
    }
}

impl Drop for SecretPage {
    fn drop(&mut self) {
        self.bytes.0.zeroize();
        release(&mut self.bytes, self.protection);
    }
}

impl fmt::Debug for SecretPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretPage([REDACTED])")
    }
}

#[expect(unsafe_code, reason = "the system calls take addresses")]
fn protect(page: &mut Bytes) -> Protection {
    let address = ptr::from_mut(page).cast();
    // SAFETY: the range is one live, exclusively borrowed allocation, aligned to the page size.
    let locked = unsafe { rustix::mm::mlock(address, PAGE_BYTES) }.is_ok();
    Protection { locked, undumped: dump(page, false) }
}

#[expect(unsafe_code, reason = "the system calls take addresses")]
fn release(page: &mut Bytes, protection: Protection) {
    if protection.undumped {
        dump(page, true);
    }
    if protection.locked {
        let address = ptr::from_mut(page).cast();
        // SAFETY: as above; that a system refuses to unlock does no harm.
        unsafe { rustix::mm::munlock(address, PAGE_BYTES) }.unwrap_or_default();
    }
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the system calls take addresses")]
fn dump(page: &mut Bytes, included: bool) -> bool {
    use rustix::mm::Advice;
    let advice = if included { Advice::LinuxDoDump } else { Advice::LinuxDontDump };
    let address = ptr::from_mut(page).cast();
    // SAFETY: the range is one live, exclusively borrowed allocation; the advice does not touch its content.
    unsafe { rustix::mm::madvise(address, PAGE_BYTES, advice) }.is_ok()
}

#[cfg(not(target_os = "linux"))]
fn dump(_: &mut Bytes, _: bool) -> bool {
    false
}

/// Keeps this process out of core dumps and away from debuggers of the same user, for as long as it runs. Returns
/// whether the system did so.
pub fn forbid_dumps() -> bool {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let without_core = setrlimit(Resource::Core, none).is_ok();
    undumpable() && without_core
}

#[cfg(target_os = "linux")]
fn undumpable() -> bool {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn undumpable() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_what_is_written_and_says_how_it_is_protected() {
        let mut page = SecretPage::new();
        page.bytes_mut()[..3].copy_from_slice(b"abc");
        assert_eq!(&page.bytes()[..4], b"abc\0");
        assert_eq!(ptr::from_ref(page.bytes()).addr() % PAGE_BYTES, 0);
        if cfg!(target_os = "linux") && rustix::param::page_size() == PAGE_BYTES {
            assert!(page.protection().undumped);
        }
        assert_eq!(format!("{page:?}"), "SecretPage([REDACTED])");
    }
}
