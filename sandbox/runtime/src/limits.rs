//! Every bound on what a tool may use, and the name of the one that was hit.

use std::fmt;
use std::time::Duration;

/// What one registration or one call may use.
///
/// Reaching one ends the call with [`Limit`]; exceptions are said at the field. Values beyond what the
/// [`SandboxConfig`](crate::SandboxConfig) provides count as the provided maximum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Time spent executing the tool, without waiting. Checked once a millisecond.
    pub cpu: Duration,
    /// Time from the call's start to its end, waiting for a free instance and for host calls included.
    pub wall: Duration,
    /// Linear memory of the instance, in bytes; about 1.3 MiB of it is the engine's own.
    pub memory_bytes_max: usize,
    /// JavaScript stack, in bytes; 128 KiB are about 480 plain calls deep.
    pub stack_bytes_max: usize,
    /// Source text, in bytes of UTF-8; of several files, all together.
    pub source_bytes_max: usize,
    /// A component's binary, in bytes.
    pub component_bytes_max: usize,
    /// Input, in bytes of JSON text.
    pub input_bytes_max: usize,
    /// Output, in bytes of JSON text.
    pub output_bytes_max: usize,
    /// Log text kept, in bytes of UTF-8. What is beyond is dropped, and the report says so.
    pub log_bytes_max: usize,
    /// Host calls running at the same time. Those beyond wait in order; at least one runs.
    pub host_calls_in_flight_max: u32,
    /// Host calls in one call.
    pub host_calls_max: u32,
    /// Input or result of one host call, in bytes of JSON text. A longer input ends the call; a longer result
    /// becomes a `CallError` with code `RESULT_TOO_LARGE` in the tool, because the tool cannot foresee it.
    pub host_call_bytes_max: usize,
    /// Names and inputs of all host calls not yet finished, in bytes.
    pub host_buffer_bytes_max: usize,
    /// A script that waits longer gives its instance to others and gets one again when it goes on. Not a bound: no
    /// call ends by it.
    pub suspend_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu: Duration::from_secs(5),
            wall: Duration::from_secs(30),
            memory_bytes_max: 64 * MIB,
            stack_bytes_max: 128 * KIB,
            source_bytes_max: 256 * KIB,
            component_bytes_max: 2 * MIB,
            input_bytes_max: MIB,
            output_bytes_max: MIB,
            log_bytes_max: 64 * KIB,
            host_calls_in_flight_max: 32,
            host_calls_max: 10_000,
            host_call_bytes_max: MIB,
            host_buffer_bytes_max: 8 * MIB,
            suspend_after: Duration::from_millis(20),
        }
    }
}

/// The limit that ended a call or a registration, with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::cpu`].
    Cpu(Duration),
    /// [`Limits::wall`].
    Wall(Duration),
    /// [`Limits::memory_bytes_max`].
    Memory(usize),
    /// [`Limits::stack_bytes_max`].
    Stack(usize),
    /// [`Limits::source_bytes_max`].
    Source(usize),
    /// [`Limits::component_bytes_max`].
    Component(usize),
    /// [`Limits::input_bytes_max`].
    Input(usize),
    /// [`Limits::output_bytes_max`].
    Output(usize),
    /// [`Limits::host_calls_max`].
    HostCallsTotal(u32),
    /// [`Limits::host_call_bytes_max`], passed by the input of a host call.
    HostCallBytes(usize),
    /// [`Limits::host_buffer_bytes_max`].
    HostBuffer(usize),
}

impl Limit {
    /// Name of the limit with its unit last, such as `cpu_ms` or `memory_bytes`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cpu(_) => "cpu_ms",
            Self::Wall(_) => "wall_ms",
            Self::Memory(_) => "memory_bytes",
            Self::Stack(_) => "stack_bytes",
            Self::Source(_) => "source_bytes",
            Self::Component(_) => "component_bytes",
            Self::Input(_) => "input_bytes",
            Self::Output(_) => "output_bytes",
            Self::HostCallsTotal(_) => "host_calls",
            Self::HostCallBytes(_) => "host_call_bytes",
            Self::HostBuffer(_) => "host_buffer_bytes",
        }
    }

    /// Value of the limit, in the unit its name ends with.
    pub fn max(&self) -> u64 {
        match self {
            Self::Cpu(time) | Self::Wall(time) => u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
            Self::HostCallsTotal(count) => u64::from(*count),
            Self::Memory(bytes)
            | Self::Stack(bytes)
            | Self::Source(bytes)
            | Self::Component(bytes)
            | Self::Input(bytes)
            | Self::Output(bytes)
            | Self::HostCallBytes(bytes)
            | Self::HostBuffer(bytes) => u64::try_from(*bytes).unwrap_or(u64::MAX),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let max = self.max();
        match self {
            Self::Cpu(_) => write!(f, "used more than {max} ms of CPU time"),
            Self::Wall(_) => write!(f, "took longer than {max} ms"),
            Self::Memory(_) => write!(f, "needed more than {max} bytes of memory"),
            Self::Stack(_) => write!(f, "recursed deeper than {max} bytes of stack hold"),
            Self::Source(_) => write!(f, "the source is longer than {max} bytes"),
            Self::Component(_) => write!(f, "the component is longer than {max} bytes"),
            Self::Input(_) => write!(f, "the input is longer than {max} bytes"),
            Self::Output(_) => write!(f, "the output is longer than {max} bytes"),
            Self::HostCallsTotal(_) => write!(f, "made more than {max} calls through env"),
            Self::HostCallBytes(_) => write!(f, "called through env with an input longer than {max} bytes"),
            Self::HostBuffer(_) => {
                write!(f, "unfinished calls through env hold more than {max} bytes of input")
            }
        }
    }
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
