//! The WebAssembly module in Node, with vectors and without, against the native decoder: generated pictures, the streams
//! of the data sets, parts and prefixes of them, and damaged ones. Skipped where node or the wasm32 target is not installed.
//! And that the viewer keeps this module and this wrapper: it is served without a build step, so the built module lies in
//! the tree, and nobody can tell from its bytes what it was built of but by building it again.

#![allow(missing_docs)]

mod cases;

use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";
/// With vectors: what a viewer loads. src/wasm.rs has the command.
const VECTORS: &str = "-Ctarget-feature=+simd128 -Cllvm-args=-inline-threshold=80";
/// Where the viewer keeps the module and its wrapper.
const KEPT: &str = "../../viewer-api/web/viewer/image";

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
    let builds = [("wasm-simd128", VECTORS, "80000"), ("wasm-plain", "", "84000")];
    for (name, flags, bytes_max) in builds {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wasm/decode.mjs");
        let out =
            Command::new("node").arg(script).arg(module(name, flags)).arg(&folder).arg(bytes_max).output().unwrap();
        let said = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&out.stderr));
        assert_eq!(said.trim(), format!("{count} cases"), "{name}");
    }
}

fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(KEPT).join(name)
}

/// Proves that the module in the tree is built of this source: no more and no less. The build is the same on every machine
/// with this compiler: members of the workspace are named by relative paths, the standard library by its own, and
/// nothing else leaves a path or an identifier of the build in the module.
#[test]
fn the_module_of_the_viewer_is_built_of_this_source() {
    if !has_target() {
        println!("skipped: the target {TARGET} is not here (rustup target add {TARGET})");
        return;
    }
    let built = std::fs::read(module("wasm-simd128", VECTORS)).unwrap();
    if std::env::var_os("UPDATE_MODULE").is_some() {
        std::fs::write(kept("htj2k.wasm"), &built).unwrap();
    }
    let kept = std::fs::read(kept("htj2k.wasm")).unwrap();
    let differs = built.iter().zip(&kept).position(|(built, kept)| built != kept);
    assert!(
        built == kept,
        "htj2k.wasm of the viewer is not what this source builds ({} bytes, {} kept, first difference at {differs:?}): \
         run this test with UPDATE_MODULE=1 and commit the file",
        built.len(),
        kept.len(),
    );
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_str().unwrap().as_bytes();
    assert!(
        !built.windows(workspace.len()).any(|bytes| bytes == workspace),
        "the module names a folder of this machine"
    );
}

/// Proves that the viewer wraps the module with the wrapper that is tested here.
#[test]
fn the_wrapper_of_the_viewer_is_this_one() {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("js/htj2k.mjs");
    let [ours, kept] = [ours, kept("htj2k.js")].map(|path| std::fs::read_to_string(path).unwrap());
    assert_eq!(ours, kept, "copy transcode/htj2k/js/htj2k.mjs to viewer-api/web/viewer/image/htj2k.js");
}
