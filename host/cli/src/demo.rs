//! The story this program exists for, told on a real directory: a host, a scripted agent over QUIC, attacks that
//! must fail, and the record of it all.
//!
//! Every step checks what it says. The host and its data are gone when the story ends, however it ends.

mod attacks;
mod record;
mod stage;
mod steps;
mod story;
mod tools;

use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};

use crate::connect::RemoteHost;
use crate::failure::{CommandError, CommandErrorKind, CommandResult};
use crate::output::Output;
use stage::Stage;
use story::Story;

/// Tells the story on this directory.
///
/// # Errors
/// Of kind Operation when a step did not do what it says.
pub(crate) async fn tell(dir: &Path, output: Output) -> CommandResult {
    // Listened to from here on, so that an interrupt during the start is not lost.
    let mut interrupts = Interrupts::listen()?;
    let mut story = Story::begin(dir, output)?;
    let Some(stage) = story.step(story::HOST, Box::pin(Stage::set(dir))).await else {
        return story.end();
    };
    let played = tokio::select! {
        played = Box::pin(play(&stage, &mut story)) => played,
        () = interrupts.next() => Err(CommandError::new(CommandErrorKind::Interrupted, "interrupted")),
    };
    if played.is_err() || story.is_unheard() {
        Box::pin(stage.strike()).await;
        return played.and_then(|()| story.end());
    }
    // Stopping is a step of the story; what it leaves is the record to verify.
    let Some(remains) = story.step(story::STOP, Box::pin(record::stop(stage))).await else {
        return story.end();
    };
    story.step(story::VERIFY, record::verify(&remains)).await;
    story.step(story::TAMPER, record::tamper(&remains)).await;
    remains.remove()?;
    story.end()
}

/// Everything that happens while the host runs.
async fn play(stage: &Stage, story: &mut Story) -> CommandResult {
    let agent = stage.connect(&stage.agent).await?;
    Box::pin(work(&agent, stage, story)).await;
    agent.close().await;
    Ok(())
}

/// The agent's work, the attacks, and the account of both. A step that others need ends it when it fails.
async fn work(agent: &RemoteHost, stage: &Stage, story: &mut Story) {
    story.step(story::DISCOVER, steps::discover(agent)).await;
    let Some(session) = story.step(story::OPEN, steps::open(agent)).await else {
        return;
    };
    let registered = story.step(story::REGISTER, steps::register(agent, &session)).await;
    let Some(()) = registered else { return };
    let Some(sample) = story.step(story::INVOKE, steps::invoke(agent, &session)).await else {
        return;
    };
    story.step(story::MANY, steps::invoke_many(agent, &session, &sample)).await;
    story.step(story::RUN, steps::run_script(agent, &session)).await;

    story.step(story::BEYOND_ENV, attacks::beyond_env(agent, &session)).await;
    story.step(story::ADMIN, attacks::admin(agent)).await;
    story.step(story::INTERNAL, attacks::internal(agent)).await;
    story.step(story::FOREIGN, attacks::foreign_session(stage, &session)).await;
    story.step(story::ENDLESS, attacks::endless_loop(agent, &session)).await;

    story.step(story::PROVENANCE, record::provenance(stage, &session)).await;
}

/// Ctrl-C and SIGTERM.
struct Interrupts {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Interrupts {
    fn listen() -> CommandResult<Self> {
        let open = |kind| {
            signal(kind).map_err(|error| CommandError::internal(format!("cannot wait for signals: {error}")))
        };
        Ok(Self { interrupt: open(SignalKind::interrupt())?, terminate: open(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
