//! Registrations with their provenance, and the curated layer: the operations fixed at start (ADR-022, ADR-024).

use std::collections::BTreeMap;
use std::sync::Arc;

use alknet_core::{Capabilities, CapabilitySource, IdentityId};

use crate::{Answers, Attenuated, Composition, Handler, OpName, OperationKind, OperationSpec};

/// Where an operation came from; decides whether it may compose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provenance {
    /// Built into the host by its assembly.
    Local,
    /// Written by an agent, for one session.
    Session,
    /// Imported from an OpenAPI document.
    FromOpenApi,
    /// Imported from an MCP server.
    FromMcp,
    /// Imported from a JSON Schema.
    FromJsonSchema,
    /// Imported from a peer.
    FromCall,
}

impl Provenance {
    /// The name that audit records show.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Session => "session",
            Self::FromOpenApi => "from_openapi",
            Self::FromMcp => "from_mcp",
            Self::FromJsonSchema => "from_jsonschema",
            Self::FromCall => "from_call",
        }
    }
}

/// An imported operation's origin: always a leaf, it composes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImportedFrom {
    /// An OpenAPI document.
    OpenApi,
    /// An MCP server.
    Mcp,
    /// A JSON Schema.
    JsonSchema,
    /// A peer.
    Call,
}

/// A specification, its handler, and everything the handler may use.
///
/// The constructors keep the rules: imports are Internal leaves, session operations are Internal and live
/// under `session/`.
pub struct Registration {
    spec: OperationSpec,
    handler: Box<dyn Handler>,
    provenance: Provenance,
    composition: Composition,
    capabilities: CapabilitySource,
    digest: Option<Arc<str>>,
    peer: Option<IdentityId>,
}

/// Why a registration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// The layer holds the name already, or a lower layer does.
    #[error("the operation `{0}` exists already")]
    Exists(OpName),
    /// A session operation outside of `session/`, another operation inside, or a peer's in a namespace of the host.
    #[error("`{0}` is not a name for an operation of this provenance")]
    Namespace(OpName),
    /// The handler answers in another way than the kind says.
    #[error("`{name}` is a {kind:?}, which this handler cannot serve")]
    Kind {
        /// The operation.
        name: OpName,
        /// Its kind.
        kind: OperationKind,
    },
}

impl Registration {
    /// A leaf of the host itself: it composes nothing.
    pub fn local(spec: OperationSpec, handler: impl Handler) -> Self {
        Self::new(spec, Box::new(handler), Provenance::Local)
    }

    /// An import: Internal, composes nothing.
    pub fn imported(from: ImportedFrom, spec: OperationSpec, handler: impl Handler) -> Self {
        let provenance = match from {
            ImportedFrom::OpenApi => Provenance::FromOpenApi,
            ImportedFrom::Mcp => Provenance::FromMcp,
            ImportedFrom::JsonSchema => Provenance::FromJsonSchema,
            ImportedFrom::Call => Provenance::FromCall,
        };
        Self::new(spec.internal(), Box::new(handler), provenance)
    }

    fn new(spec: OperationSpec, handler: Box<dyn Handler>, provenance: Provenance) -> Self {
        let (composition, capabilities) = (Composition::default(), CapabilitySource::default());
        Self { spec, handler, provenance, composition, capabilities, digest: None, peer: None }
    }

    /// An operation that a peer serves.
    pub(crate) fn of_peer(peer: IdentityId, spec: OperationSpec, handler: impl Handler) -> Self {
        Self::imported(ImportedFrom::Call, spec, handler).served_by(peer)
    }

    /// The same operation, which this peer serves.
    pub(crate) fn served_by(self, peer: IdentityId) -> Self {
        Self { peer: Some(peer), ..self }
    }

    /// An operation of the host that composes others.
    pub fn composing(spec: OperationSpec, handler: impl Handler, composition: Composition) -> Self {
        Self { composition, ..Self::local(spec, handler) }
    }

    /// An operation an agent wrote: forced Internal, composing with what its session allows, without
    /// credentials. `digest` is the SHA-256 of its source, in hexadecimal.
    ///
    /// # Errors
    /// [`RegistrationError::Namespace`] when the name is not under `session/`.
    pub fn session(
        spec: OperationSpec,
        handler: impl Handler,
        composition: Attenuated,
        digest: Arc<str>,
    ) -> Result<Self, RegistrationError> {
        if !spec.name().is_session() {
            return Err(RegistrationError::Namespace(spec.name().clone()));
        }
        let base = Self::new(spec.internal(), Box::new(handler), Provenance::Session);
        Ok(Self { composition: composition.into_composition(), digest: Some(digest), ..base })
    }

    /// Opens an import of documents to the wire, by a decision of the assembly. Operations of peers and of sessions
    /// stay Internal, whoever asks.
    #[must_use]
    pub fn exposed(mut self) -> Self {
        if !matches!(self.provenance, Provenance::Session | Provenance::FromCall) {
            self.spec = self.spec.external();
        }
        self
    }

    /// Gives the operation credentials of its own.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: impl Into<CapabilitySource>) -> Self {
        if self.provenance != Provenance::Session {
            self.capabilities = capabilities.into();
        }
        self
    }

    /// The contract.
    #[must_use]
    pub fn spec(&self) -> &OperationSpec {
        &self.spec
    }

    /// Where it came from.
    #[must_use]
    pub fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// What it composes with.
    #[must_use]
    pub fn composition(&self) -> &Composition {
        &self.composition
    }

    /// SHA-256 of the source it was made from, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> Option<&Arc<str>> {
        self.digest.as_ref()
    }

    /// The peer that serves it, where it is one of a peer's.
    #[must_use]
    pub fn peer(&self) -> Option<&IdentityId> {
        self.peer.as_ref()
    }

    /// Whether the handler answers in the way that the operation's kind says.
    pub(crate) fn check_kind(&self) -> Result<(), RegistrationError> {
        let kind = self.spec.kind();
        if self.handler.answers() == Answers::of(kind) {
            return Ok(());
        }
        Err(RegistrationError::Kind { name: self.spec.name().clone(), kind })
    }

    pub(crate) fn capabilities(&self) -> Arc<Capabilities> {
        self.capabilities.current()
    }

    pub(crate) fn handler(&self) -> &dyn Handler {
        &*self.handler
    }
}

/// The curated layer: immutable once built.
#[derive(Debug, Default)]
pub struct Registry {
    operations: BTreeMap<OpName, Arc<Registration>>,
    has_publications: bool,
}

/// Collects the curated layer.
#[derive(Debug, Default)]
pub struct RegistryBuilder(Registry);

impl Registry {
    /// An empty builder; discovery operations are added when the dispatcher is built.
    #[must_use]
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder::default()
    }

    /// The operation with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Registration>> {
        self.operations.get(name)
    }

    /// All operations, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Registration>> {
        self.operations.values()
    }

    /// Whether a call of this name takes chunks, which may come right behind it.
    pub(crate) fn takes_chunks(&self, name: &str) -> bool {
        self.has_publications
            && self.get(name).is_some_and(|found| found.spec().kind() == OperationKind::Publication)
    }
}

impl RegistryBuilder {
    /// Adds an operation.
    ///
    /// # Errors
    /// [`RegistrationError`] when the name is taken or the kind cannot be served.
    pub fn register(mut self, registration: Registration) -> Result<Self, RegistrationError> {
        let name = registration.spec.name().clone();
        registration.check_kind()?;
        if registration.provenance == Provenance::Session {
            return Err(RegistrationError::Namespace(name));
        }
        if self.0.operations.contains_key(&name) {
            return Err(RegistrationError::Exists(name));
        }
        self.0.has_publications |= registration.spec.kind() == OperationKind::Publication;
        self.0.operations.insert(name, Arc::new(registration));
        Ok(self)
    }

    /// Adds several operations.
    ///
    /// # Errors
    /// The first [`RegistrationError`].
    pub fn register_all(
        self,
        registrations: impl IntoIterator<Item = Registration>,
    ) -> Result<Self, RegistrationError> {
        registrations.into_iter().try_fold(self, Self::register)
    }

    /// Freezes the layer.
    #[must_use]
    pub fn build(self) -> Registry {
        self.0
    }
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registration")
            .field("name", self.spec.name())
            .field("provenance", &self.provenance)
            .finish_non_exhaustive()
    }
}
