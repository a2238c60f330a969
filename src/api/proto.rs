//! What `proto/` generates. It enters here and goes no further than `api`; only `cli::load`, a client, writes requests with it.

tonic::include_proto!("comptoir.v1");

/// Every message and service with all they import, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/comptoir.bin"));
