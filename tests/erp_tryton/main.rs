//! A real ERP (`tests/erp/tryton`), asked through both of its presets: every figure is what the ERP says when it is asked
//! directly, digit for digit, and each of the pitfalls its README lists is a test.

mod figures;
mod pitfalls;
mod relay;
mod truth;

#[path = "../rig/mod.rs"]
mod rig;
