//! What to start in an environment whose package brings its own runtime.

use std::io::Read;
use std::path::Path;

use super::language::Launch;
use super::opt::Opt;
use super::outcome::Failure;

/// The package's own `bootstrap`, else that of its layers, when the kernel would run it.
pub fn bootstrap(root: &Path, opt: Option<&Opt>) -> Result<Launch, Failure> {
    let invalid = |message: &str| Failure::new("Runtime.InvalidEntrypoint", message);
    let own = Some(("/var/task/bootstrap", root.join("bootstrap"), root));
    let theirs = opt.map(|opt| ("/opt/bootstrap", opt.folder.join("bootstrap"), opt.path.as_path()));
    let Some((name, file, seen_in)) = [own, theirs].into_iter().flatten().find(|(_, file, _)| file.exists())
    else {
        return Err(invalid("Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"));
    };
    let runs =
        executable_here(&file).map_err(|e| Failure::new("Runtime.StartError", format!("Error: {e}")))?;
    if !runs {
        return Err(invalid(&format!("Error: fork/exec {name}: exec format error")));
    }
    Ok(Launch { program: seen_in.join("bootstrap"), arguments: Vec::new(), version: None })
}

/// Whether the kernel would run the file. The C library gives what it would not to a shell, which Lambda does not do: a
/// binary of another architecture would end in the shell's complaints.
fn executable_here(path: &Path) -> std::io::Result<bool> {
    let mut head = Vec::new();
    std::fs::File::open(path)?.take(20).read_to_end(&mut head)?;
    if head.starts_with(b"#!") {
        return Ok(true);
    }
    let (Some(b"\x7fELF\x02\x01"), Some(machine)) = (head.get(..6), head.get(18..20)) else {
        return Ok(false);
    };
    let (own, emulator) = match u16::from_le_bytes([machine[0], machine[1]]) {
        62 => (cfg!(target_arch = "x86_64"), "qemu-x86_64"),
        183 => (cfg!(target_arch = "aarch64"), "qemu-aarch64"),
        _ => return Ok(false),
    };
    Ok(own || Path::new("/proc/sys/fs/binfmt_misc").join(emulator).exists())
}
