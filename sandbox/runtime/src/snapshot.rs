//! The part of a guest's memory that differs from the base image.

#[cfg(test)]
mod tests;

/// An evaluated tool at rest.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// Where in memory the next so many of `bytes` belong.
    runs: Vec<Run>,
    bytes: Box<[u8]>,
    memory_bytes: usize,
    stack_pointer: i32,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    at: usize,
    len: usize,
}

impl Snapshot {
    pub(crate) fn take(memory: &[u8], base: &[u8], stack_pointer: i32) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        let mut bytes = Vec::new();
        for (page, at) in memory.chunks(PAGE).zip((0..).step_by(PAGE)) {
            if is_same(page, at, base) {
                continue;
            }
            for (line, at) in page.chunks(LINE).zip((at..).step_by(LINE)) {
                if is_same(line, at, base) {
                    continue;
                }
                bytes.extend_from_slice(line);
                match runs.last_mut() {
                    Some(run) if run.at + run.len == at => run.len += line.len(),
                    Some(_) | None => runs.push(Run { at, len: line.len() }),
                }
            }
        }
        Self { runs, bytes: bytes.into_boxed_slice(), memory_bytes: memory.len(), stack_pointer }
    }

    /// Writes the difference over a copy of the base image; `None` when it does not fit.
    pub(crate) fn write(&self, memory: &mut [u8]) -> Option<()> {
        let mut rest = &*self.bytes;
        for run in &self.runs {
            let (bytes, after) = rest.split_at_checked(run.len)?;
            memory.get_mut(run.at..)?.get_mut(..run.len)?.copy_from_slice(bytes);
            rest = after;
        }
        Some(())
    }

    /// Linear memory the guest had, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    pub(crate) fn stack_pointer(&self) -> i32 {
        self.stack_pointer
    }

    /// Host memory the snapshot takes.
    pub(crate) fn stored_bytes(&self) -> usize {
        self.bytes.len() + self.runs.len() * size_of::<Run>()
    }
}

/// Whether `part`, found at `at`, is what the base image has there; beyond its end the image is zero.
fn is_same(part: &[u8], at: usize, base: &[u8]) -> bool {
    match base.get(at..).and_then(|rest| rest.get(..part.len())) {
        Some(original) => original == part,
        None => part.iter().all(|byte| *byte == 0),
    }
}

const PAGE: usize = 4096;
const LINE: usize = 64;
