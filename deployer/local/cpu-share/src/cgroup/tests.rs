//! What is written to and read from the files of each version, on folders that look like theirs.

use super::*;

fn folder(version: Version, files: &[(&str, &str)]) -> (tempfile::TempDir, Folder) {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::make(&Place { version, folder: place.path().to_owned() }, "group").unwrap();
    for (name, text) in files {
        fs::write(folder.path.join(name), text).unwrap();
    }
    (place, folder)
}

#[test]
fn a_share_is_a_quota_of_20_ms() {
    let share = |mb| Some(super::super::share_of(mb));
    let (_place, v2) = folder(Version::V2, &[]);
    for (given, written) in [
        (share(128), "1447 20000"),
        (share(1769), "20000 20000"),
        (share(3538), "40000 20000"),
        (Some(0.001), "1000 20000"),
        (None, "max 20000"),
    ] {
        v2.limit_cpu(given).unwrap();
        assert_eq!(v2.read("cpu.max").unwrap(), written);
    }
    let (_place, v1) = folder(Version::V1, &[]);
    v1.limit_cpu(None).unwrap();
    assert_eq!(v1.read("cpu.cfs_quota_us").unwrap(), "-1");
    v1.limit_cpu(share(512)).unwrap();
    assert_eq!(v1.read("cpu.cfs_quota_us").unwrap(), "5789");
    assert_eq!(v1.number("cpu.cfs_period_us").unwrap(), 20_000);
}

#[test]
fn memory_is_limited_without_swap() {
    let (_place, v2) = folder(Version::V2, &[("memory.swap.max", "max"), ("memory.oom.group", "0")]);
    v2.limit_memory(128 << 20).unwrap();
    assert_eq!(v2.number("memory.max").unwrap(), 134_217_728);
    assert_eq!((v2.number("memory.swap.max").unwrap(), v2.number("memory.oom.group").unwrap()), (0, 1));
    let (_place, v1) = folder(Version::V1, &[("memory.memsw.limit_in_bytes", "9223372036854771712")]);
    v1.limit_memory(128 << 20).unwrap();
    assert_eq!(v1.number("memory.limit_in_bytes").unwrap(), 134_217_728);
    assert_eq!(v1.number("memory.memsw.limit_in_bytes").unwrap(), 134_217_728);
    // A kernel that counts no swap.
    let (_place, v1) = folder(Version::V1, &[]);
    v1.limit_memory(128 << 20).unwrap();
    assert!(!v1.path.join("memory.memsw.limit_in_bytes").exists());
}

#[test]
fn the_peak_is_read_without_files_at_hand() {
    let stat = "anon 90000000\nfile 9000000\ninactive_file 4194304\nactive_file 2097152\n";
    let events = |n| format!("low 0\nhigh 0\nmax 12\noom {n}\noom_kill {n}\noom_group_kill 0\n");
    let (_place, v2) = folder(
        Version::V2,
        &[
            ("memory.current", "94371840\n"),
            ("memory.peak", "104857600\n"),
            ("memory.stat", stat),
            ("memory.events", &events(0)),
        ],
    );
    assert_eq!(v2.memory().unwrap(), Memory { most_kb: 94 << 10, exceeded: false });
    fs::write(v2.path.join("memory.events"), events(1)).unwrap();
    fs::remove_file(v2.path.join("memory.peak")).unwrap();
    assert_eq!(v2.memory().unwrap(), Memory { most_kb: 84 << 10, exceeded: true });
    let stat = "inactive_file 1\nactive_file 1\ntotal_inactive_file 1048576\ntotal_active_file 0\n";
    let (_place, v1) = folder(
        Version::V1,
        &[
            ("memory.max_usage_in_bytes", "10485760\n"),
            ("memory.stat", stat),
            ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
        ],
    );
    assert_eq!(v1.memory().unwrap(), Memory { most_kb: 9 << 10, exceeded: true });
}
