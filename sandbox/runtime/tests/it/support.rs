//! One sandbox for all tests, a host that answers a few names, and short ways to register and call.

use std::sync::OnceLock;
use std::time::Duration;

use alknet_sandbox::{
    CallFailure, CallReport, HostCallError, HostCalls, Language, Limits, RegisterError, Sandbox,
    SandboxConfig, Source, SourceFile, Tool,
};
use futures_util::future::{BoxFuture, FutureExt as _};

/// The sandbox all tests share: compiling the engine takes a while.
pub(crate) fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| {
        Sandbox::new(SandboxConfig { instances_max: 32, ..SandboxConfig::default() }).unwrap()
    })
}

/// Answers `echo/*` with its input, `fail/*` with an error, `name/*` with the name, and never answers `never/*`.
pub(crate) struct Host {
    pub(crate) seed: u64,
    pub(crate) now: u64,
}

impl Default for Host {
    fn default() -> Self {
        Self { seed: 7, now: 1_700_000_000_123 }
    }
}

impl HostCalls for Host {
    fn call(&self, name: String, input: String) -> BoxFuture<'_, Result<String, HostCallError>> {
        let answer = match name.split('/').next().unwrap_or_default() {
            "echo" => Ok(input),
            "name" => Ok(serde_json::to_string(&name).unwrap()),
            "never" => return std::future::pending().boxed(),
            "later" => {
                return async move {
                    tokio::task::yield_now().await;
                    Ok(input)
                }
                .boxed();
            }
            "big" => Ok(format!("\"{}\"", "x".repeat(input.parse().unwrap()))),
            "broken" => Ok("{".into()),
            "fail" => Err(HostCallError {
                code: "NOT_FOUND".into(),
                message: "no such thing".into(),
                retryable: true,
                details: Some(r#"{"path":"/a"}"#.into()),
            }),
            _ => {
                Err(HostCallError { code: "UNKNOWN".into(), message: name, retryable: false, details: None })
            }
        };
        async move { answer }.boxed()
    }

    fn now_millis(&self) -> u64 {
        self.now
    }

    fn seed(&self) -> u64 {
        self.seed
    }
}

/// Operation names the tools of these tests see.
pub(crate) fn names() -> Vec<String> {
    ["echo/it", "fail/it", "name/it", "never/it", "later/it", "big/it", "broken/it"]
        .map(String::from)
        .to_vec()
}

pub(crate) fn limits() -> Limits {
    Limits { cpu: Duration::from_millis(500), wall: Duration::from_secs(20), ..Limits::default() }
}

pub(crate) async fn register_as(
    language: Language,
    text: &str,
    env: &[String],
    limits: &Limits,
) -> Result<Tool, RegisterError> {
    register_files(language, &[("tool", text)], env, limits).await
}

pub(crate) async fn register_files(
    language: Language,
    files: &[(&str, &str)],
    env: &[String],
    limits: &Limits,
) -> Result<Tool, RegisterError> {
    let files: Vec<_> = files.iter().map(|&(path, text)| SourceFile { path, text }).collect();
    sandbox().register(Source { language, files: &files }, env, limits).await
}

pub(crate) async fn register(text: &str) -> Tool {
    match register_as(Language::JavaScript, text, &names(), &limits()).await {
        Ok(tool) => tool,
        Err(error) => panic!("{text}\n{error}"),
    }
}

/// Registers an async function with that body and calls it with `input`.
pub(crate) async fn call_body(body: &str, input: &str) -> CallReport {
    call_body_within(body, input, &limits()).await
}

pub(crate) async fn call_body_within(body: &str, input: &str, limits: &Limits) -> CallReport {
    let tool = register(&format!("export default async function tool(input, env) {{ {body}\n}}")).await;
    tool.call(input, &Host::default(), limits).await
}

/// The failure of such a call, which must not succeed.
pub(crate) async fn failure_of(body: &str, limits: &Limits) -> CallFailure {
    match call_body_within(body, "{}", limits).await.result {
        Ok(output) => panic!("{body}\nsucceeded with {output}"),
        Err(failure) => failure,
    }
}

/// A sandbox of its own with that many instances, quick to make: its engine comes from a cache.
pub(crate) fn small_sandbox(instances_max: u32) -> Sandbox {
    static CACHE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let directory = CACHE.get_or_init(|| tempfile::Builder::new().permissions(private()).tempdir().unwrap());
    let cache_dir = Some(directory.path().to_owned());
    Sandbox::new(SandboxConfig { cache_dir, instances_max, ..SandboxConfig::default() }).unwrap()
}

fn private() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::Permissions::from_mode(0o700)
}
