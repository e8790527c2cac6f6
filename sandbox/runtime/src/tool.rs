//! A registered tool and its calls.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::time::timeout;

use crate::component::ComponentTool;
use crate::fair::Share;
use crate::lower::SourceMap;
use crate::meter::Meter;
use crate::run::Run;
use crate::sandbox::Shared;
use crate::snapshot::Snapshot;
use crate::{CallFailure, CallReport, HostCalls, Limit, Limits, Shape};

/// A tool at rest: memory pages and a source map, or compiled code; no live instance. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Tool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    sandbox: Arc<Shared>,
    share: Share,
    kind: Kind,
    digest: String,
}

#[derive(Debug)]
enum Kind {
    Script(Script),
    /// And the name its operation has.
    Component(ComponentTool, String),
}

/// A tool in JavaScript, evaluated.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) snapshot: Snapshot,
    pub(crate) map: SourceMap,
    pub(crate) shape: Shape,
}

/// Takes the items of a subscription, as fast as it likes: the tool computes the next one when this one is taken.
pub trait Items: Send {
    /// Takes one item, which is JSON text.
    fn send(&mut self, item: String) -> BoxFuture<'_, ()>;
}

impl Tool {
    pub(crate) fn script(sandbox: Arc<Shared>, share: Share, script: Script, digest: String) -> Self {
        Self { inner: Arc::new(Inner { sandbox, share, kind: Kind::Script(script), digest }) }
    }

    pub(crate) fn component(
        sandbox: Arc<Shared>,
        share: Share,
        (component, name): (ComponentTool, String),
        digest: String,
    ) -> Self {
        Self { inner: Arc::new(Inner { sandbox, share, kind: Kind::Component(component, name), digest }) }
    }

    /// SHA-256 of what was registered, in lower-case hexadecimal.
    pub fn digest(&self) -> &str {
        &self.inner.digest
    }

    /// Whether the tool answers once or with many items.
    pub fn shape(&self) -> Shape {
        match &self.inner.kind {
            Kind::Script(script) => script.shape,
            Kind::Component(..) => Shape::Function,
        }
    }

    /// Host memory the tool takes while nothing calls it, in bytes: its snapshot and its text, without what leads
    /// from one to the other; of a component, its machine code.
    pub fn snapshot_bytes(&self) -> usize {
        match &self.inner.kind {
            Kind::Script(script) => script.snapshot.stored_bytes() + script.map.text_bytes(),
            Kind::Component(component, _) => component.code_bytes(),
        }
    }

    /// Calls the tool with `input`, which is JSON text, in a fresh instance.
    ///
    /// A call is over when the tool's promise is rejected, or is fulfilled and every host call it started is
    /// finished, whether it awaited them or not. Dropping the future stops the guest and drops its host calls.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with time enabled.
    pub async fn call<H: HostCalls>(&self, input: &str, host: &H, limits: &Limits) -> CallReport {
        let meter = self.meter(limits);
        if input.len() > limits.input_bytes_max {
            let result = Err(CallFailure::Limit(Limit::Input(limits.input_bytes_max)));
            return CallReport::unstarted(result);
        }
        let script = match &self.inner.kind {
            Kind::Script(script) => script,
            Kind::Component(component, name) => {
                let call = component.call(&self.inner.sandbox, &meter, (name, input), (host, limits));
                return call.await;
            }
        };
        let mut run = Run::new(&self.inner.sandbox, script, &meter, (host, limits));
        let result = timeout(limits.wall, run.call(input)).await;
        let result = result.unwrap_or_else(|_| Err(run.out_of_time()));
        run.report(result)
    }

    /// Starts the subscription with `input`, and hands every item to `items` until there are no more.
    ///
    /// CPU and wall limits hold for each item, from when it is asked for; the time that `items` takes is not the
    /// tool's. The report's result is `null` at the end. Dropping the future stops the guest.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with time enabled.
    pub async fn subscribe<H: HostCalls>(
        &self,
        input: &str,
        host: &H,
        limits: &Limits,
        items: &mut dyn Items,
    ) -> CallReport {
        let meter = self.meter(limits);
        let script = match &self.inner.kind {
            Kind::Script(script) if input.len() <= limits.input_bytes_max => script,
            Kind::Script(_) => {
                let result = Err(CallFailure::Limit(Limit::Input(limits.input_bytes_max)));
                return CallReport::unstarted(result);
            }
            Kind::Component(..) => {
                let reason = "a component answers once: it cannot be a subscription".into();
                return CallReport::unstarted(Err(CallFailure::BadOutput { reason }));
            }
        };
        let mut run = Run::new(&self.inner.sandbox, script, &meter, (host, limits));
        let result = run.stream(input, items).await;
        run.report(result)
    }

    fn meter(&self, limits: &Limits) -> Arc<Meter> {
        Arc::new(Meter::new(limits.cpu, self.inner.sandbox.lane(self.inner.share)))
    }
}
