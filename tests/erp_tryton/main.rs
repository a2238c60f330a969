//! A real ERP (`tests/erp/tryton`), asked through both of its presets: every figure is what the ERP says when it is asked
//! directly, digit for digit, and each of the pitfalls its README lists is a test. What moves in it is pushed by our module.

mod figures;
mod pitfalls;
mod pushed;
mod relay;
mod truth;
mod warehouse;
mod wire;

#[path = "../rig/mod.rs"]
mod rig;
