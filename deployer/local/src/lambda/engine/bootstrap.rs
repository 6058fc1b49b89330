//! What to start in an environment whose package brings its own runtime.

use std::io::Read;
use std::path::Path;

use super::language::Launch;
use super::opt::Opt;
use super::outcome::Failure;

/// The package's own `bootstrap`, else that of its layers, when Lambda would run it on the function's processor and the kernel
/// does.
pub fn bootstrap(root: &Path, opt: Option<&Opt>, architecture: &str) -> Result<Launch, Failure> {
    let invalid = |message: &str| Failure::new("Runtime.InvalidEntrypoint", message);
    let start = |message: String| Failure::new("Runtime.StartError", format!("Error: {message}"));
    let own = Some(("/var/task/bootstrap", root.join("bootstrap"), root));
    let theirs = opt.map(|opt| ("/opt/bootstrap", opt.folder.join("bootstrap"), opt.path.as_path()));
    let Some((name, file, seen_in)) = [own, theirs].into_iter().flatten().find(|(_, file, _)| file.exists())
    else {
        return Err(invalid("Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"));
    };
    let runs = match Program::read(&file).map_err(|e| start(e.to_string()))? {
        Program::Script => true,
        Program::Native(processor) if processor.name == architecture => {
            if !processor.runs_here() {
                let here =
                    PROCESSORS.iter().find(|processor| processor.own).map_or("another", |own| own.name);
                return Err(start(format!(
                    "{name} is for {architecture}, as the function is, and this machine is {here}: build it for {here} and give \
                     the function that architecture to measure it here"
                )));
            }
            true
        }
        Program::Native(_) | Program::Other => false,
    };
    if !runs {
        return Err(invalid(&format!("Error: fork/exec {name}: exec format error")));
    }
    Ok(Launch { program: seen_in.join("bootstrap"), arguments: Vec::new(), version: None })
}

/// The processor that a program was built for, by its first bytes; `None` for scripts and what Lambda does not run.
#[must_use]
pub fn built_for(program: &[u8]) -> Option<&'static Processor> {
    match Program::of(program) {
        Program::Native(processor) => Some(processor),
        Program::Script | Program::Other => None,
    }
}

/// A file that is to be run. The C library gives what the kernel does not run to a shell, which Lambda does not do: a binary for
/// another processor would end in the shell's complaints.
enum Program {
    Script,
    Native(&'static Processor),
    Other,
}

/// A processor of Lambda.
#[derive(Debug)]
pub struct Processor {
    /// Its name there.
    pub name: &'static str,
    /// The number it has in executables.
    machine: u16,
    /// Whether it is this machine's.
    own: bool,
    /// What the kernel calls the emulator that stands in for it, when that is installed.
    emulator: &'static str,
}

const PROCESSORS: [Processor; 2] = [
    Processor { name: "x86_64", machine: 62, own: cfg!(target_arch = "x86_64"), emulator: "qemu-x86_64" },
    Processor { name: "arm64", machine: 183, own: cfg!(target_arch = "aarch64"), emulator: "qemu-aarch64" },
];

impl Program {
    fn read(path: &Path) -> std::io::Result<Self> {
        let mut head = Vec::new();
        std::fs::File::open(path)?.take(20).read_to_end(&mut head)?;
        Ok(Self::of(&head))
    }

    fn of(head: &[u8]) -> Self {
        if head.starts_with(b"#!") {
            return Self::Script;
        }
        let (Some(b"\x7fELF\x02\x01"), Some(machine)) = (head.get(..6), head.get(18..20)) else {
            return Self::Other;
        };
        let machine = u16::from_le_bytes([machine[0], machine[1]]);
        let known = PROCESSORS.iter().find(|processor| processor.machine == machine);
        known.map_or(Self::Other, Self::Native)
    }
}

impl Processor {
    /// Whether this machine runs its programs: by itself, or with an emulator that is installed.
    #[must_use]
    pub fn runs_here(&self) -> bool {
        self.own || Path::new("/proc/sys/fs/binfmt_misc").join(self.emulator).exists()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_runs_on_the_processor_of_its_function_alone() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |machine: u16, architecture: &str| {
            let mut head = [b"\x7fELF\x02\x01".as_slice(), &[0; 14]].concat();
            head[18..20].copy_from_slice(&machine.to_le_bytes());
            std::fs::write(folder.path().join("bootstrap"), head).unwrap();
            bootstrap(folder.path(), None, architecture).err().map(|failure| failure.message)
        };
        let format = "Error: fork/exec /var/task/bootstrap: exec format error";
        for processor in &PROCESSORS {
            let other = PROCESSORS.iter().find(|other| other.name != processor.name).unwrap();
            assert_eq!(refused(processor.machine, other.name).as_deref(), Some(format), "{}", processor.name);
            let said = refused(processor.machine, processor.name);
            assert_eq!(said.is_none(), processor.runs_here(), "{said:?}");
            let words = "as the function is, and this machine is";
            assert!(said.is_none_or(|said| said.contains(words)), "{}", processor.name);
        }
        assert_eq!(refused(0, "x86_64").as_deref(), Some(format));
    }
}
