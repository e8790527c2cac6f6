//! What a key costs: from the cache, derived, and behind a password.
//!
//! ```text
//! cargo bench -p alknet-vault
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark reports, and fails where it stands"
)]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use alknet_vault::{Binding, Cost, Mnemonic, SeedFile, VaultServiceHandle};

fn main() {
    let vault = VaultServiceHandle::new();
    vault.unlock_new(24, None).unwrap();
    let hit = each(100_000, |_| drop(black_box(vault.derive_ed25519("m/74'/0'/0'/0'").unwrap())));
    let miss = each(2_000, |index| {
        black_box(vault.derive_ed25519(&format!("m/74'/0'/0'/{index}'")).unwrap());
    });
    let encrypt = each(10_000, |_| {
        black_box(vault.encrypt("sk-0123456789abcdef", 2, Binding::Context("credential:x")).unwrap());
    });
    let file = SeedFile::seal(&Mnemonic::generate(24).unwrap(), "benchmark", Cost::default()).unwrap();
    let open = each(5, |_| drop(black_box(file.open("benchmark").unwrap())));
    println!("derive, cached       {hit:>12.2?}");
    println!("derive, four levels  {miss:>12.2?}");
    println!("encrypt 19 bytes     {encrypt:>12.2?}");
    println!("open the seed file   {open:>12.2?}");
    bar("derive_cached_us", hit, Duration::from_micros(2));
    bar("seed_file_open_us", open, Duration::from_secs(1));
}

/// The mean time of one run.
fn each(times: u32, mut work: impl FnMut(u32)) -> Duration {
    let begun = Instant::now();
    (0..times).for_each(&mut work);
    begun.elapsed() / times
}

fn bar(name: &str, value: Duration, limit: Duration) {
    let verdict = if value <= limit { "ok" } else { "short" };
    let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
    println!("bar {name} {:.2} {:.2} {verdict}", micros(value), micros(limit));
}
