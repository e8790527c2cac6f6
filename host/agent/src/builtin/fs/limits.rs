//! Every bound of the file operations, in one place.

/// Bounds on the file operations. A host sets them once, at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FsLimits {
    /// Longest path a caller may give, in bytes.
    pub path_bytes_max: usize,
    /// Deepest path, and deepest walk below a directory, in components.
    pub depth_max: usize,
    /// Most bytes one `fs/read` answers; longer files are read in parts.
    pub read_bytes_max: u64,
    /// Most bytes one `fs/write` takes.
    pub write_bytes_max: usize,
    /// Largest file that `fs/write` may leave behind by appending, in bytes.
    pub file_bytes_max: u64,
    /// Most entries one `fs/list` answers.
    pub list_entries_max: usize,
    /// Most directory entries one `fs/list` or `fs/search` looks at.
    pub walk_entries_max: usize,
    /// Most files one `fs/search` reads.
    pub search_files_max: usize,
    /// Largest file that `fs/search` reads, in bytes; larger ones are skipped.
    pub search_file_bytes_max: u64,
    /// Most bytes one `fs/search` reads in all.
    pub search_bytes_max: u64,
    /// How much of each line `fs/search` looks at, in bytes.
    pub search_line_bytes_max: usize,
    /// Most matches one `fs/search` answers.
    pub matches_max: usize,
    /// Most bytes of a matching line that are answered.
    pub match_text_bytes_max: usize,
    /// Longest pattern or glob, in bytes.
    pub pattern_bytes_max: usize,
    /// Largest compiled pattern, in bytes of memory.
    pub pattern_memory_bytes_max: usize,
    /// Calls that may do file input and output at once; further ones wait.
    pub parallel_max: usize,
}

impl Default for FsLimits {
    fn default() -> Self {
        Self {
            path_bytes_max: 4096,
            depth_max: 64,
            read_bytes_max: 1 << 20,
            write_bytes_max: 1 << 20,
            file_bytes_max: 64 << 20,
            list_entries_max: 10_000,
            walk_entries_max: 100_000,
            search_files_max: 10_000,
            search_file_bytes_max: 4 << 20,
            search_bytes_max: 64 << 20,
            search_line_bytes_max: 16 << 10,
            matches_max: 1000,
            match_text_bytes_max: 400,
            pattern_bytes_max: 512,
            pattern_memory_bytes_max: 256 << 10,
            parallel_max: 16,
        }
    }
}
