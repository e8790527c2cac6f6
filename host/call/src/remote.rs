//! An operation that a peer serves, as a handler: a leaf that forwards (`from_call`, ADR-017).
//!
//! Nothing of the composer goes along: no credential, no authority. The peer learns on whose behalf the call is made,
//! as this host's claim.

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
}

impl RemoteOperation {
    /// The operation that the peer behind the link has under this name.
    pub(crate) fn new(link: Link, name: String, kind: OperationKind) -> Self {
        Self { link, name, answers: Answers::of(kind), discloses_callers: true }
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
