//! What `secret`, `peer` and `apikey` share: the store, and the check that nothing in it contradicts the
//! configuration.

use alknet_core::{AuthPolicy, Directory, IdentityStore as _, StoreError};
use alknet_store::SqliteStore;

use crate::assemble::merged;
use crate::failure::{CommandError, CommandResult, chain};
use crate::project::{Project, check_private_dir};

/// Opens the store of a project.
pub(super) fn open(project: &Project) -> CommandResult<SqliteStore> {
    check_private_dir(project.layout.data_dir())?;
    let store = SqliteStore::open(&project.layout.store_file());
    store.map_err(|error| CommandError::configuration(chain(&error)))
}

/// Refuses a change of the store that a host would not start with.
pub(super) fn check(
    project: &Project,
    store: &SqliteStore,
    change: impl FnOnce(&mut AuthPolicy),
) -> CommandResult {
    let mut stored = store.policy();
    change(&mut stored);
    let checked = Directory::new(merged(&project.config.access.policy, &stored));
    checked.map(drop).map_err(|error| CommandError::configuration(error.to_string()))
}

/// A store that failed.
pub(super) fn failed(error: StoreError) -> CommandError {
    CommandError::configuration(chain(&error))
}

/// What is told after every change.
pub(super) const IN_FORCE: &str = "A running host takes it over within a second.";
