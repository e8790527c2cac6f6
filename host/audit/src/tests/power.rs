//! Power cuts: whatever the disk did not have to keep may be gone, torn or there, and the log is what it promised.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::support::*;
use crate::storage::{OsStorage, Storage};
use crate::*;

/// A file system that remembers what a power cut may take, and has some between its operations.
#[derive(Debug)]
struct Remembering {
    disk: Mutex<Disk>,
    dice: Mutex<Dice>,
    /// Records that must be there after a power cut.
    promised: AtomicUsize,
    /// Once in how many operations the power is cut.
    rarity: AtomicUsize,
    images: Mutex<Vec<Image>>,
}

/// What a power cut left, and how many records must be there.
type Image = (usize, BTreeMap<PathBuf, Vec<u8>>);

/// What is on the disk for certain, and what is on its way there.
#[derive(Debug, Default)]
struct Disk {
    by_inode: BTreeMap<u64, usize>,
    /// What files hold for certain, and the writes since.
    files: Vec<(Vec<u8>, Vec<Change>)>,
    /// The names that are there for certain.
    names: BTreeMap<PathBuf, usize>,
    /// Changes of names that are not, by the folder whose sync makes them certain.
    renames: Vec<(PathBuf, Rename)>,
    /// The names now.
    now: BTreeMap<PathBuf, usize>,
}

#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Debug, Clone)]
enum Rename {
    Create(PathBuf, usize),
    Move(PathBuf, PathBuf, usize),
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Length(length) => content.resize(*length, 0),
            Self::Write { at, bytes } => {
                content.resize(content.len().max(at + bytes.len()), 0);
                content[*at..at + bytes.len()].copy_from_slice(bytes);
            }
        }
    }
}

impl Rename {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Create(path, file) => drop(names.insert(path.clone(), *file)),
            Self::Move(from, to, file) => {
                // The first name may not have come to the disk, or be another file's by now.
                if names.get(from) == Some(file) {
                    names.remove(from);
                }
                names.insert(to.clone(), *file);
            }
        }
    }
}

impl Disk {
    fn number(&self, file: &File) -> usize {
        self.by_inode[&file.metadata().unwrap().ino()]
    }

    fn sync(&mut self, number: usize) {
        let (content, changes) = &mut self.files[number];
        changes.drain(..).for_each(|change| change.apply(content));
    }

    fn sync_dir(&mut self, path: &Path) {
        let (synced, rest) = std::mem::take(&mut self.renames).into_iter().partition(|(dir, _)| dir == path);
        self.renames = rest;
        let synced: Vec<(PathBuf, Rename)> = synced;
        synced.iter().for_each(|(_, rename)| rename.apply(&mut self.names));
    }

    /// What a power cut now may leave.
    fn cut(&self, dice: &mut Dice) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut names = self.names.clone();
        // Changes of the names of one folder come to the disk in their order, those of different ones in any.
        let folders: BTreeSet<_> = self.renames.iter().map(|(folder, _)| folder).collect();
        let kept: BTreeMap<_, _> = folders
            .into_iter()
            .map(|folder| {
                let all = self.renames.iter().filter(|(other, _)| other == folder).count();
                (folder, dice.below(all + 1))
            })
            .collect();
        let mut seen = BTreeMap::new();
        for (folder, rename) in &self.renames {
            let nth = seen.entry(folder).or_insert(0);
            if *nth < kept[folder] {
                rename.apply(&mut names);
            }
            *nth += 1;
        }
        let content = |file: usize, dice: &mut Dice| {
            let (mut content, changes) = self.files[file].clone();
            for change in changes {
                match (dice.below(4), change) {
                    (0, _) => {}
                    (1, Change::Write { at, mut bytes }) => {
                        // The file has its length, but not all of its pages.
                        let half = bytes.len() / 2;
                        let (begin, end) = if dice.below(2) == 0 { (0, half) } else { (half, bytes.len()) };
                        bytes[begin..end].fill(0);
                        Change::Write { at, bytes }.apply(&mut content);
                    }
                    (_, change) => change.apply(&mut content),
                }
            }
            content
        };
        names.into_iter().map(|(path, file)| (path, content(file, dice))).collect()
    }
}

impl Remembering {
    fn new(seed: u64) -> Self {
        Self {
            disk: Mutex::default(),
            dice: Mutex::new(Dice::new(seed)),
            promised: AtomicUsize::new(0),
            rarity: AtomicUsize::new(APPENDING),
            images: Mutex::default(),
        }
    }

    /// The disk before an operation; sometimes the power is cut there.
    fn disk(&self) -> MutexGuard<'_, Disk> {
        let (disk, mut dice) = (self.disk.lock().unwrap(), self.dice.lock().unwrap());
        if dice.below(self.rarity.load(Ordering::SeqCst)) == 0 {
            let promised = self.promised.load(Ordering::SeqCst);
            self.images.lock().unwrap().push((promised, disk.cut(&mut dice)));
        }
        disk
    }
}

/// How seldom the power is cut while records are appended, and while they are published.
const APPENDING: usize = 100;
const PUBLISHING: usize = 3;

fn folder(path: &Path) -> PathBuf {
    path.parent().unwrap().to_owned()
}

impl Storage for Remembering {
    fn create(&self, path: &Path) -> io::Result<Arc<File>> {
        let mut disk = self.disk();
        let created = OsStorage.create(path)?;
        match disk.now.get(path).copied() {
            Some(file) => disk.files[file].1.push(Change::Length(0)),
            None => {
                let file = disk.files.len();
                disk.files.push(Default::default());
                disk.now.insert(path.to_owned(), file);
                disk.by_inode.insert(created.metadata().unwrap().ino(), file);
                disk.renames.push((folder(path), Rename::Create(path.to_owned(), file)));
            }
        }
        Ok(created)
    }
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut disk = self.disk();
        let number = disk.number(file);
        let at = usize::try_from(offset).unwrap();
        disk.files[number].1.push(Change::Write { at, bytes: bytes.to_vec() });
        OsStorage.write_at(file, bytes, offset)
    }
    fn set_len(&self, file: &File, bytes: u64) -> io::Result<()> {
        let mut disk = self.disk();
        let number = disk.number(file);
        disk.files[number].1.push(Change::Length(usize::try_from(bytes).unwrap()));
        OsStorage.set_len(file, bytes)
    }
    fn sync(&self, file: &File) -> io::Result<()> {
        let mut disk = self.disk();
        let number = disk.number(file);
        disk.sync(number);
        Ok(())
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.disk().sync_dir(path);
        Ok(())
    }
    fn sync_all(&self, files: &BTreeSet<PathBuf>, dirs: &BTreeSet<PathBuf>) -> io::Result<()> {
        for path in files {
            let mut disk = self.disk();
            let number = disk.now[path];
            disk.sync(number);
        }
        dirs.iter().for_each(|dir| self.disk().sync_dir(dir));
        Ok(())
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        OsStorage.rename(from, to)?;
        let rename = Rename::Move(from.to_owned(), to.to_owned(), disk.now[from]);
        rename.apply(&mut disk.now);
        disk.renames.push((folder(to), rename));
        Ok(())
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        OsStorage.create_dir(path)
    }
}

/// Opens what a power cut left: everything promised is there, in order, and nothing else.
fn check_image(place: &Path, (promised, files): Image, case: &str) {
    let image = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = image.path().join(path.strip_prefix(place).unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let log = try_open(image.path()).unwrap_or_else(|error| panic!("{case}: {error}"));
    log.close().unwrap();
    check(image.path());
    let mut records = vec![];
    let reader = AuditReader::open(image.path()).unwrap();
    let mut page = Page { limit: 1000, ..Page::default() };
    loop {
        let matches = reader.query(&Filter::default(), &page).unwrap();
        records.extend(matches.entries.into_iter().map(|entry| entry.record));
        page.after = matches.next;
        if page.after.is_none() {
            break;
        }
    }
    let ends =
        records.iter().rev().map_while(|record| record["kind"].as_str().unwrap().strip_prefix("host."));
    let kept = records.len() - ends.count();
    assert!(kept >= promised, "{case}: {kept} of {promised} records");
    for (at, record) in records[..kept].iter().enumerate() {
        assert_eq!(record["session"], at.to_string(), "{case}");
    }
}

#[test]
fn the_power_is_cut_anywhere() {
    for (seed, durability) in (1..=5).flat_map(|seed| [(seed, Durability::Os), (seed, Durability::Disk)]) {
        let dir = tempfile::tempdir().unwrap();
        let storage = Arc::new(Remembering::new(seed));
        let options = Options { durability, ..options() };
        let log = AuditLog::open_on(dir.path(), options, Arc::<Remembering>::clone(&storage)).unwrap();
        // A log that was never there need not be after a power cut.
        storage.images.lock().unwrap().clear();
        let mut dice = Dice::new(seed + 1000);
        let mut count = 0;
        for _ in 0..8 {
            for _ in 0..dice.below(160) {
                log.append(&session_opened(&count.to_string())).unwrap();
                count += 1;
                if durability == Durability::Disk {
                    storage.promised.store(count, Ordering::SeqCst);
                }
            }
            let choice = dice.below(3);
            if choice > 0 {
                storage.rarity.store(PUBLISHING, Ordering::SeqCst);
                if choice == 1 { log.checkpoint() } else { log.settle() }.unwrap();
                storage.rarity.store(APPENDING, Ordering::SeqCst);
                storage.promised.store(count, Ordering::SeqCst);
            }
        }
        let images = std::mem::take(&mut *storage.images.lock().unwrap());
        assert!(images.len() > 10, "{}", images.len());
        for (at, image) in images.into_iter().enumerate() {
            check_image(dir.path(), image, &format!("{durability:?}, seed {seed}, cut {at}"));
        }
    }
}
