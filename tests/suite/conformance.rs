//! The call protocol as peers of any kind meet it: the fixture host over real QUIC, over many streams in memory and over
//! a Unix socket, and beside another implementation of the protocol.

mod aborts;
mod calls;
mod discovery;
mod hostile;
mod import;
mod interop;
mod peers;
mod process;
mod streams;
mod ways;
