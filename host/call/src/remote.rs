//! An operation that a peer serves, as a handler: a leaf that forwards (`from_call`, ADR-017).
//!
//! Nothing of the composer goes along: no credential, no authority. The peer learns on whose behalf the call is made,
//! as this host's claim.

use alknet_core::IdentityId;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use serde_json::Value;

use crate::{
    Admitted, Answers, CallError, CallOptions, CallScope, Feed, Handler, Link, OnBehalfOf, OperationKind,
    Reply,
};

pub(crate) struct RemoteOperation {
    link: Link,
    name: String,
    answers: Answers,
    discloses_callers: bool,
    /// The peer that announced it, known by the key of its connection: it must still be.
    announced_by: Option<IdentityId>,
}

impl RemoteOperation {
    /// The operation that the peer behind the link has under this name.
    pub(crate) fn new(link: Link, name: String, kind: OperationKind) -> Self {
        Self { link, name, answers: Answers::of(kind), discloses_callers: true, announced_by: None }
    }

    /// An operation that a peer announced. Where the key of its connection says who it is, the operation is gone as
    /// soon as that key is not the peer's any more.
    pub(crate) fn announced(self, peer: &IdentityId) -> Self {
        let announced_by = self.link.is_known_as(peer).then(|| peer.clone());
        Self { announced_by, ..self }
    }

    /// Whether the peer is told on whose behalf it is called.
    pub(crate) fn disclosing(self, discloses_callers: bool) -> Self {
        Self { discloses_callers, ..self }
    }

    /// The identity at the root of the call tree, or nothing; never the label of the composer's authority.
    fn options(&self, scope: &CallScope) -> CallOptions {
        let root = scope.root_identity().filter(|_| self.discloses_callers);
        let on_behalf_of = root.map(|identity| OnBehalfOf {
            id: identity.id().to_string(),
            scopes: identity.grants().scopes().map(ToString::to_string).collect(),
            resources: identity
                .grants()
                .resources()
                .map(|(kind, actions)| (kind.to_owned(), actions.map(str::to_owned).collect()))
                .collect(),
        });
        CallOptions { on_behalf_of, ..CallOptions::default() }
    }

    fn refuse<'a>(&self, error: CallError) -> Reply<'a> {
        let refused = std::future::ready(Err(error));
        match self.answers {
            Answers::Once => Reply::Once(refused.boxed()),
            Answers::Stream => Reply::Stream(refused.into_stream().boxed()),
            Answers::Sink => Reply::Sink(Box::new(move |_| refused.boxed())),
        }
    }

    async fn feed(&self, input: Value, mut feed: Feed, options: CallOptions) -> Result<Value, CallError> {
        let mut publication = self.link.publish(&self.name, &input, &options).await?;
        while let Some(chunk) = feed.next().await {
            match chunk {
                Ok(chunk) => {
                    if !publication.send(&chunk).await? {
                        break;
                    }
                }
                Err(error) => return publication.fail(error).await,
            }
        }
        publication.finish().await
    }
}

impl Handler for RemoteOperation {
    fn answers(&self) -> Answers {
        self.answers
    }

    fn start<'a>(&'a self, call: Admitted) -> Reply<'a> {
        let (input, scope) = call.into_parts();
        let options = self.options(&scope);
        if self.announced_by.as_ref().is_some_and(|peer| !self.link.is_known_as(peer)) {
            return self.refuse(CallError::operation_not_found(scope.operation().as_str()));
        }
        match self.answers {
            Answers::Once => {
                Reply::Once(async move { self.link.call(&self.name, &input, &options).await }.boxed())
            }
            Answers::Stream => {
                let begun = async move { self.link.subscribe(&self.name, &input, &options).await };
                Reply::Stream(begun.into_stream().try_flatten().boxed())
            }
            Answers::Sink => Reply::Sink(Box::new(move |feed| self.feed(input, feed, options).boxed())),
        }
    }
}
