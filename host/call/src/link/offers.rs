//! What the peer behind a link offers to this host: it ends with the link.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alknet_core::IdentityId;

use super::Link;
use crate::import::{ImportOptions, import};
use crate::peers::Attachment;
use crate::remote::RemoteOperation;
use crate::{AdapterError, OfferError, OperationSpec, Registration};

/// The places of the peers that are known behind a link: by its key, and by the tokens of those that announced
/// operations.
#[derive(Default)]
pub(super) struct Offers(Mutex<State>);

#[derive(Default)]
struct State {
    attachments: Vec<Arc<Attachment>>,
    withdrawn: bool,
}

impl Offers {
    /// Takes everything back, for good.
    pub(super) fn withdraw(&self) {
        let mut state = self.lock();
        state.withdrawn = true;
        let gone = std::mem::take(&mut state.attachments);
        drop(state);
        drop(gone);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    /// Gives the peer a place among the host's peers, under this id, as long as the link lives.
    pub fn attach(&self, peer: &IdentityId) {
        drop(self.attachment(peer));
    }

    /// Offers one operation of the peer to the host's own.
    pub(crate) fn offer(
        &self,
        peer: &IdentityId,
        spec: OperationSpec,
        replace: bool,
    ) -> Result<(), OfferError> {
        let attachment = self.attachment(peer).ok_or(OfferError::Replaced)?;
        let remote = RemoteOperation::new(self.clone(), spec.name().to_string(), spec.kind());
        let remote = remote.announced(peer);
        attachment.offer(Registration::of_peer(peer.clone(), spec, remote), replace)
    }

    /// Imports the operations of the peer (`services/list`, `services/schema`) and offers them to the host's own, under
    /// this peer id. What was imported or announced before is replaced at once. Returns how many there are.
    ///
    /// # Errors
    /// [`AdapterError`]; what was offered before is still offered then.
    pub async fn import(&self, peer: &IdentityId, options: &ImportOptions) -> Result<usize, AdapterError> {
        let registrations = import(self, peer, options).await?;
        let count = registrations.len();
        let attachment =
            self.attachment(peer).ok_or(AdapterError::Transport("the link is over".to_owned()))?;
        attachment.replace_all(registrations)?;
        Ok(count)
    }

    fn attachment(&self, peer: &IdentityId) -> Option<Arc<Attachment>> {
        let mut state = self.0.offers.lock();
        if state.withdrawn {
            return None;
        }
        if let Some(known) = state.attachments.iter().find(|known| known.peer() == peer) {
            return Some(Arc::clone(known));
        }
        let attachment = Arc::new(self.0.dispatcher.peers().attach(peer.clone()));
        state.attachments.push(Arc::clone(&attachment));
        Some(attachment)
    }
}
