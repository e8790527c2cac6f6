//! Where a vault's password comes from: a private file, standard input, a credential of systemd, or the terminal.
//! Never an argument, never a variable of the environment.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::failure::CommandError;
use crate::project::{KeyFileError, read_secret};

/// Where to read a password from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PasswordSource {
    /// The first line of a file that only its owner can read.
    File(PathBuf),
    /// The first line of standard input.
    Stdin,
    /// A credential of systemd where there is one, else the terminal.
    Ask,
}

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PasswordError {
    /// The file.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// Standard input or the terminal broke off.
    #[error("cannot read the password: {0}")]
    Read(#[from] io::Error),
    /// Nobody can be asked.
    #[error("the vault needs a password, and there is no terminal to ask for it")]
    NoTerminal,
    /// There is none.
    #[error("the password is empty")]
    Empty,
    /// The two times it was typed differ.
    #[error("the two passwords are not the same")]
    Differ,
}

impl PasswordSource {
    /// What `--password-file` says.
    pub(crate) fn of(file: Option<&Path>) -> Self {
        match file {
            None => Self::Ask,
            Some(file) if file == Path::new("-") => Self::Stdin,
            Some(file) => Self::File(file.to_owned()),
        }
    }

    /// Reads the password.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub(crate) fn read(&self, prompt: &str) -> Result<Zeroizing<String>, PasswordError> {
        match self {
            Self::File(file) => first_line(&read_secret(file)?),
            Self::Stdin => read_line(&mut io::stdin().lock()),
            Self::Ask => match systemd_credential() {
                Some(file) => first_line(&read_secret(&file)?),
                None => Terminal::open()?.ask(prompt),
            },
        }
    }

    /// Reads a new password: twice, where somebody types it.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub(crate) fn read_new(&self, prompt: &str) -> Result<Zeroizing<String>, PasswordError> {
        if *self == Self::Ask && systemd_credential().is_some() {
            return self.read(prompt);
        }
        self.read_replacement(prompt)
    }

    /// Reads the password that takes another one's place: never the one that systemd gives, which is the other.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub(crate) fn read_replacement(&self, prompt: &str) -> Result<Zeroizing<String>, PasswordError> {
        match self {
            Self::File(_) | Self::Stdin => self.read(prompt),
            Self::Ask => {
                let password = Terminal::open()?.ask(prompt)?;
                let again = Terminal::open()?.ask(AGAIN)?;
                if again == password { Ok(password) } else { Err(PasswordError::Differ) }
            }
        }
    }
}

impl PasswordError {
    /// Adds what to do about it.
    pub(crate) fn hint(&self, failure: CommandError) -> CommandError {
        match self {
            Self::NoTerminal => failure.hint(
                "give it with --password-file FILE (mode 0600) or --password-file - (standard input), \
                 or as the systemd credential `alknet-agent.password`",
            ),
            Self::File(_) | Self::Read(_) | Self::Empty | Self::Differ => failure,
        }
    }
}

/// Reads the value of a credential: from a private file, from standard input, or from the terminal.
///
/// # Errors
/// [`PasswordError`].
pub(crate) fn read_value(from: Option<&Path>, prompt: &str) -> Result<Zeroizing<String>, PasswordError> {
    match PasswordSource::of(from) {
        // A credential of systemd is a password, and no value.
        PasswordSource::Ask => Terminal::open()?.ask(prompt),
        source => source.read(prompt),
    }
}

/// The file of systemd's `LoadCredential=alknet-agent.password:…`. The variable names a folder, nothing secret.
fn systemd_credential() -> Option<PathBuf> {
    let file = PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join("alknet-agent.password");
    file.exists().then_some(file)
}

fn first_line(text: &str) -> Result<Zeroizing<String>, PasswordError> {
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() { Err(PasswordError::Empty) } else { Ok(Zeroizing::new(line.to_owned())) }
}

/// One line of at most [`LINE_BYTES_MAX`] bytes.
pub(super) fn read_line(from: &mut impl io::BufRead) -> Result<Zeroizing<String>, PasswordError> {
    let mut line = Zeroizing::new(String::with_capacity(LINE_BYTES_MAX));
    let limit = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
    from.take(limit).read_line(&mut line)?;
    first_line(&line)
}

/// The terminal of the user, whatever standard input and output are.
struct Terminal(File);

impl Terminal {
    fn open() -> Result<Self, PasswordError> {
        let open = OpenOptions::new().read(true).write(true).open("/dev/tty");
        open.map(Self).map_err(|_| PasswordError::NoTerminal)
    }

    /// Asks, and reads a line that is not shown.
    fn ask(mut self, prompt: &str) -> Result<Zeroizing<String>, PasswordError> {
        self.0.write_all(prompt.as_bytes())?;
        let answered = {
            let silent = Silent::new(&self.0)?;
            read_line(&mut BufReader::with_capacity(LINE_BYTES_MAX, silent.terminal))
        };
        self.0.write_all(b"\n")?;
        answered
    }
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silent<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Silent<'a> {
    fn new(terminal: &'a File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        if let Err(error) = tcsetattr(self.terminal, OptionalActions::Flush, &self.before) {
            tracing::warn!(%error, "the terminal was left silent; `stty sane` helps");
        }
    }
}

const AGAIN: &str = "The same once more: ";
const LINE_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_first_line() {
        for (text, expected) in [("secret\n", "secret"), ("secret", "secret"), (" s e \r\nx\n", " s e ")] {
            assert_eq!(*read_line(&mut text.as_bytes()).unwrap(), expected);
        }
        for empty in ["", "\n", "\nsecret\n"] {
            assert!(matches!(read_line(&mut empty.as_bytes()), Err(PasswordError::Empty)));
        }
    }

    #[test]
    fn the_option_says_where_from() {
        assert_eq!(PasswordSource::of(None), PasswordSource::Ask);
        assert_eq!(PasswordSource::of(Some(Path::new("-"))), PasswordSource::Stdin);
        let file = PathBuf::from("p");
        assert_eq!(PasswordSource::of(Some(&file)), PasswordSource::File(file));
    }
}
