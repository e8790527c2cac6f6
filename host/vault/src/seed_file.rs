//! The mnemonic at rest: its entropy under a password, in a file of 97 bytes.
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `ALKSEED` and the version, 1 |
//! | 4, 4, 4 | Argon2id 1.3: memory in KiB, passes, lanes; big endian |
//! | 16 | salt |
//! | 12 | nonce |
//! | 49 | AES-256-GCM over the number of entropy bytes and the entropy, padded to 32; all bytes before are its AAD |

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::{Zeroize as _, Zeroizing};

use crate::mnemonic::{Mnemonic, normalized};

/// The shortest password a new file takes, in characters.
pub const PASSWORD_CHARS_MIN: usize = 8;

/// How much work a guess of the password takes. Written into the file; a file that asks for less than
/// [`Cost::MIN`], or for more than a machine should give, is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Cost {
    /// The least that is accepted (the smaller choices of OWASP's guidance).
    pub const MIN: Self = Self { memory_kib: 19_456, passes: 2, lanes: 1 };
    const MAX: Self = Self { memory_kib: 1 << 20, passes: 64, lanes: 64 };

    fn is_accepted(&self) -> bool {
        (Self::MIN.memory_kib..=Self::MAX.memory_kib).contains(&self.memory_kib)
            && (Self::MIN.passes..=Self::MAX.passes).contains(&self.passes)
            && (Self::MIN.lanes..=Self::MAX.lanes).contains(&self.lanes)
    }
}

impl Default for Cost {
    /// The second recommended choice of RFC 9106 §4.
    fn default() -> Self {
        Self { memory_kib: 65_536, passes: 3, lanes: 4 }
    }
}

/// A mnemonic that is sealed under a password. Safe to copy; as strong as its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedFile(Box<[u8; FILE_BYTES]>);

/// Why there is no mnemonic. Never holds a password, or tells a wrong one from damage.
#[derive(Debug, thiserror::Error)]
pub enum SeedFileError {
    /// The file cannot be read or written.
    #[error("cannot use {}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Others than its owner may read or change it.
    #[error("{} is open to other users (mode {mode:04o}); run: chmod 600 '{}'", file.display(), file.display())]
    Exposed {
        /// The file.
        file: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The content is no seed file: another length, beginning or version.
    #[error("this is no seed file of a known version, or it was cut short")]
    Malformed,
    /// The content demands too little or too much work.
    #[error("the seed file asks for a password hash that is too weak, or beyond this program's bounds")]
    Cost,
    /// The password does not open it.
    #[error("wrong password, or the seed file is damaged")]
    Closed,
    /// The password is too short for a new file.
    #[error("the password has fewer than {PASSWORD_CHARS_MIN} characters")]
    Password,
    /// Not enough memory for the password hash.
    #[error("there is not enough memory for the password hash")]
    Memory,
    /// The operating system gave no randomness; there is no fallback.
    #[error("the operating system gave no randomness")]
    Randomness,
}

impl SeedFile {
    /// Seals a mnemonic under a password, which is normalised (NFKD).
    ///
    /// # Errors
    /// [`SeedFileError::Password`], [`SeedFileError::Cost`], [`SeedFileError::Memory`],
    /// [`SeedFileError::Randomness`].
    pub fn seal(mnemonic: &Mnemonic, password: &str, cost: Cost) -> Result<Self, SeedFileError> {
        if password.chars().count() < PASSWORD_CHARS_MIN {
            return Err(SeedFileError::Password);
        }
        if !cost.is_accepted() {
            return Err(SeedFileError::Cost);
        }
        let mut header = [0; HEADER_BYTES];
        getrandom::fill(&mut header).map_err(|_| SeedFileError::Randomness)?;
        put(&mut header, 0, MAGIC);
        put(&mut header, COST_AT, &cost.memory_kib.to_be_bytes());
        put(&mut header, COST_AT + 4, &cost.passes.to_be_bytes());
        put(&mut header, COST_AT + 8, &cost.lanes.to_be_bytes());
        let header = Header(header);
        let mut entropy = Zeroizing::new([0; 1 + ENTROPY_BYTES_MAX]);
        let length = u8::try_from(mnemonic.entropy().len()).unwrap_or_default();
        put(&mut *entropy, 0, &[length]);
        put(&mut *entropy, 1, mnemonic.entropy());
        let payload = Payload { msg: &*entropy, aad: &header.0 };
        let sealed = header.cipher(password)?.encrypt(&header.nonce().into(), payload);
        let sealed = sealed.map_err(|_| SeedFileError::Closed)?;
        let mut file = Box::new([0; FILE_BYTES]);
        put(&mut *file, 0, &header.0);
        put(&mut *file, HEADER_BYTES, &sealed);
        Ok(Self(file))
    }

    /// Opens it. Takes as long as its cost says.
    ///
    /// # Errors
    /// [`SeedFileError::Closed`] for a wrong password and for damage alike; [`SeedFileError::Cost`],
    /// [`SeedFileError::Memory`].
    pub fn open(&self, password: &str) -> Result<Mnemonic, SeedFileError> {
        let header = self.header();
        let sealed = self.0.get(HEADER_BYTES..).unwrap_or_default();
        let payload = Payload { msg: sealed, aad: &header.0 };
        let opened = header.cipher(password)?.decrypt(&header.nonce().into(), payload);
        let opened = Zeroizing::new(opened.map_err(|_| SeedFileError::Closed)?);
        let (length, entropy) = opened.split_first().ok_or(SeedFileError::Closed)?;
        let entropy = entropy.get(..usize::from(*length)).ok_or(SeedFileError::Closed)?;
        Mnemonic::from_entropy(entropy).map_err(|_| SeedFileError::Closed)
    }

    /// What a guess of the password costs.
    #[must_use]
    pub fn cost(&self) -> Cost {
        self.header().cost()
    }

    /// Takes bytes for a seed file; whether they open is not known yet.
    ///
    /// # Errors
    /// [`SeedFileError::Malformed`], [`SeedFileError::Cost`].
    pub fn parse(bytes: &[u8]) -> Result<Self, SeedFileError> {
        let file: [u8; FILE_BYTES] = bytes.try_into().map_err(|_| SeedFileError::Malformed)?;
        if !file.starts_with(MAGIC) {
            return Err(SeedFileError::Malformed);
        }
        let file = Self(Box::new(file));
        if file.cost().is_accepted() { Ok(file) } else { Err(SeedFileError::Cost) }
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &*self.0
    }

    /// Reads a file that only its owner may read.
    ///
    /// # Errors
    /// [`SeedFileError::Io`], [`SeedFileError::Exposed`], [`SeedFileError::Malformed`], [`SeedFileError::Cost`].
    pub fn read(file: &Path) -> Result<Self, SeedFileError> {
        let failed = |source| SeedFileError::Io { file: file.to_owned(), source };
        // A FIFO must not block the open; it is no regular file and refused below.
        let mut options = OpenOptions::new();
        let mut open = options.read(true).custom_flags(NONBLOCK).open(file).map_err(failed)?;
        let metadata = open.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(SeedFileError::Malformed);
        }
        let mode = metadata.mode();
        if mode & 0o077 != 0 {
            return Err(SeedFileError::Exposed { file: file.to_owned(), mode: mode & 0o7777 });
        }
        let mut bytes = Vec::with_capacity(FILE_BYTES + 1);
        let limit = u64::try_from(FILE_BYTES + 1).unwrap_or(u64::MAX);
        (&mut open).take(limit).read_to_end(&mut bytes).map_err(failed)?;
        Self::parse(&bytes)
    }

    /// Writes a new file for its owner alone. It is there whole, and on the disk, or not at all.
    ///
    /// # Errors
    /// [`SeedFileError::Io`], also when there is a file of this name.
    pub fn write_new(&self, file: &Path) -> Result<(), SeedFileError> {
        self.write(file, |temporary, file| {
            // Unlike a rename, a link does not replace what is there.
            fs::hard_link(temporary, file)?;
            fs::remove_file(temporary)
        })
    }

    /// Replaces a file in one step; a reader sees the old content or the new one.
    ///
    /// # Errors
    /// [`SeedFileError::Io`]; the old content is untouched then.
    pub fn replace(&self, file: &Path) -> Result<(), SeedFileError> {
        self.write(file, |temporary, file| fs::rename(temporary, file))
    }

    fn write(
        &self,
        file: &Path,
        publish: impl FnOnce(&Path, &Path) -> io::Result<()>,
    ) -> Result<(), SeedFileError> {
        let failed = |source| SeedFileError::Io { file: file.to_owned(), source };
        let folder = match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let temporary = temporary(file).map_err(|()| SeedFileError::Randomness)?;
        let mut options = OpenOptions::new();
        let mut open = options.write(true).create_new(true).mode(0o600).open(&temporary).map_err(failed)?;
        let written = open.write_all(self.as_bytes()).and_then(|()| open.sync_all());
        let published = written.and_then(|()| publish(&temporary, file));
        if let Err(error) = published {
            // What is left behind is sealed; that it cannot be removed does not change what went wrong.
            fs::remove_file(&temporary).unwrap_or_default();
            return Err(failed(error));
        }
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    fn header(&self) -> Header {
        let mut header = [0; HEADER_BYTES];
        put(&mut header, 0, self.0.get(..HEADER_BYTES).unwrap_or_default());
        Header(header)
    }
}

struct Header([u8; HEADER_BYTES]);

impl Header {
    fn cost(&self) -> Cost {
        let number = |at| u32::from_be_bytes(self.part(at));
        Cost { memory_kib: number(COST_AT), passes: number(COST_AT + 4), lanes: number(COST_AT + 8) }
    }

    fn nonce(&self) -> [u8; NONCE_BYTES] {
        self.part(SALT_AT + SALT_BYTES)
    }

    fn part<const BYTES: usize>(&self, at: usize) -> [u8; BYTES] {
        let mut part = [0; BYTES];
        put(&mut part, 0, self.0.get(at..at + BYTES).unwrap_or_default());
        part
    }

    fn cipher(&self, password: &str) -> Result<Aes256Gcm, SeedFileError> {
        let Cost { memory_kib, passes, lanes } = self.cost();
        let params = Params::new(memory_kib, passes, lanes, Some(32)).map_err(|_| SeedFileError::Cost)?;
        let mut memory: Vec<Block> = Vec::new();
        let blocks = params.block_count();
        memory.try_reserve_exact(blocks).map_err(|_| SeedFileError::Memory)?;
        memory.resize_with(blocks, Block::default);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut key = Zeroizing::new([0; 32]);
        let (password, salt) = (normalized(password), self.part::<SALT_BYTES>(SALT_AT));
        let hashed =
            argon2.hash_password_into_with_memory(password.as_bytes(), &salt, &mut *key, &mut memory);
        memory.iter_mut().for_each(|block| block.zeroize());
        hashed.map_err(|_| SeedFileError::Cost)?;
        Ok(Aes256Gcm::new((&*key).into()))
    }
}

/// A name beside the file that nobody else uses.
fn temporary(file: &Path) -> Result<PathBuf, ()> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|_| ())?;
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:016x}", u64::from_be_bytes(random)));
    Ok(file.with_file_name(name))
}

fn put(to: &mut [u8], at: usize, from: &[u8]) {
    for (to, from) in to.iter_mut().skip(at).zip(from) {
        *to = *from;
    }
}

const MAGIC: &[u8] = b"ALKSEED\x01";
const COST_AT: usize = 8;
const SALT_AT: usize = 20;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
const HEADER_BYTES: usize = SALT_AT + SALT_BYTES + NONCE_BYTES;
const ENTROPY_BYTES_MAX: usize = 32;
const FILE_BYTES: usize = HEADER_BYTES + 1 + ENTROPY_BYTES_MAX + 16;
#[cfg(any(target_os = "linux", target_os = "android"))]
const NONBLOCK: i32 = 0o4000;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const NONBLOCK: i32 = 0x4;

#[cfg(test)]
mod tests;
