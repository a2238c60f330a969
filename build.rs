//! Compiles `proto/` without protoc: protox reads it, tonic generates from the descriptors, and the descriptors themselves
//! are kept for server reflection. Works offline and outside a git checkout.

use std::path::PathBuf;

use prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(
        ["comptoir/v1/offers.proto", "comptoir/v1/prices.proto", "comptoir/v1/stock.proto"],
        ["proto"],
    )?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("comptoir.bin"), descriptors.encode_to_vec())?;
    // Messages for both sides. The offer service itself is declared by hand in `api::grpc`, because its answers are
    // encoded from the gateway's own structures and never become generated messages.
    tonic_prost_build::configure().build_server(false).build_client(true).compile_fds(descriptors)?;
    Ok(())
}
