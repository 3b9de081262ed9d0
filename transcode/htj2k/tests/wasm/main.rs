//! The WebAssembly module in Node, with vectors and without, against the native decoder: generated pictures, the streams
//! of the data sets, parts and prefixes of them, and damaged ones. Skipped where node or the wasm32 target is not installed.

#![allow(missing_docs)]

mod cases;

use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

fn has_node() -> bool {
    Command::new("node").arg("--version").output().is_ok_and(|out| out.status.success())
}

fn has_target() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let asked = Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output();
    asked.is_ok_and(|out| out.status.success() && Path::new(String::from_utf8_lossy(&out.stdout).trim()).is_dir())
}

/// The module as src/wasm.rs says it is built, with these flags.
fn module(name: &str, flags: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["rustc", "--locked", "-p", "htj2k", "--lib", "--crate-type", "cdylib", "--profile", "wasm"]);
    cargo.args(["--target", TARGET, "--target-dir"]).arg(&target).current_dir(env!("CARGO_MANIFEST_DIR"));
    let out = cargo.env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", flags).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    target.join(TARGET).join("wasm/htj2k.wasm")
}

/// Proves that both builds give what the native decoder gives, to the last bit, and refuse what it refuses.
#[test]
fn the_module_decodes_what_the_native_decoder_does() {
    if !has_node() || !has_target() {
        println!("skipped: node or the target {TARGET} is not here");
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wasm-cases");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let count = cases::write(&folder);
    // The one with vectors is what a viewer loads: 80 kB once compressed.
    let builds = [
        ("wasm-simd128", "-Ctarget-feature=+simd128 -Cllvm-args=-inline-threshold=80", "80000"),
        ("wasm-plain", "", "84000"),
    ];
    for (name, flags, bytes_max) in builds {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wasm/decode.mjs");
        let out =
            Command::new("node").arg(script).arg(module(name, flags)).arg(&folder).arg(bytes_max).output().unwrap();
        let said = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&out.stderr));
        assert_eq!(said.trim(), format!("{count} cases"), "{name}");
    }
}
