use local_aws::lambda::Mechanism;
use local_aws::{Endpoint, Options, StartError, store::Store};

use super::client::{Local, options};

#[tokio::test]
async fn what_was_made_is_there_after_a_restart() {
    let local = Local::start().await;
    local.s3("PUT", "/bucket", "").await.ok();
    local.s3("PUT", "/bucket/key", "content").await.ok();
    let local = local.restart().await;
    assert_eq!(local.s3("GET", "/bucket/key", "").await.ok().text(), "content");
}

#[tokio::test]
async fn what_was_answered_is_on_the_disk() {
    let local = Local::start().await;
    for i in 0..20 {
        local.endpoint.aws().store.put("record", &i.to_string(), &i);
        // The file as a kill at this moment would leave it.
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(local.folder.path().join("state.redb"), copy.path().join("state.redb")).unwrap();
        let records: Vec<(String, u32)> = Store::open(copy.path()).unwrap().list("record");
        assert_eq!(records.len(), i + 1);
    }
}

#[tokio::test]
async fn files_that_no_record_names_are_swept() {
    let local = Local::start().await;
    local.s3("PUT", "/bucket", "").await.ok();
    local.s3("PUT", "/bucket/key", "old").await.ok();
    local.s3("PUT", "/bucket/key", "new").await.ok();
    let folder = local.folder.path().join("s3");
    std::fs::write(folder.join("0123456789abcdef0123456789abcdef"), "left by a kill").unwrap();
    let local = local.restart().await;
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    assert_eq!(local.s3("GET", "/bucket/key", "").await.ok().text(), "new");
}

#[tokio::test]
async fn a_folder_in_use_and_a_taken_port_are_said() {
    let local = Local::start().await;
    let error = Endpoint::start(options(local.folder.path())).await.err().unwrap();
    assert!(error.to_string().contains("in use by another process"), "{error}");
    let port = local.address().rsplit(':').next().unwrap().parse().unwrap();
    let other = tempfile::tempdir().unwrap();
    let taken = Options { port, ..options(other.path()) };
    let error = Endpoint::start(taken).await.err().unwrap();
    assert!(
        matches!(error, StartError::Listen { .. }) && error.to_string().contains(&port.to_string()),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mechanism_that_is_asked_for_is_used_or_refused() {
    for wanted in [Mechanism::CgroupV2, Mechanism::CgroupV1, Mechanism::DutyCycle] {
        let folder = tempfile::tempdir().unwrap();
        match Endpoint::start(Options { cpu_share: Some(wanted), ..options(folder.path()) }).await {
            Ok(endpoint) => {
                assert_eq!(endpoint.aws().lambda.mechanism(), wanted);
                endpoint.stop().await;
            }
            Err(error) => {
                let told = error.to_string();
                assert!(told.starts_with(&format!("cpu-share {}: cgroup v", wanted.name())), "{told}");
                assert_ne!(wanted, Mechanism::DutyCycle, "every machine has it");
            }
        }
    }
}

#[tokio::test]
async fn a_stopped_endpoint_frees_folder_and_port() {
    let local = Local::start().await;
    let port = local.address().rsplit(':').next().unwrap().parse().unwrap();
    // A connection that is kept open must not hold anything back.
    let _idle = tokio::net::TcpStream::connect(local.address()).await.unwrap();
    let Local { endpoint, folder } = local;
    endpoint.stop().await;
    let again = Endpoint::start(Options { port, ..options(folder.path()) }).await.unwrap();
    again.stop().await;
}

#[tokio::test]
async fn a_dropped_endpoint_ends_at_once() {
    let local = Local::start().await;
    let Local { endpoint, folder } = local;
    drop(endpoint);
    let mut tries = 0;
    while let Err(e) = Endpoint::start(options(folder.path())).await {
        tries += 1;
        assert!(tries < 100, "{e}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_damaged_folder_is_said_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.redb");
    std::fs::write(&file, "something else entirely").unwrap();
    let error = Endpoint::start(options(folder.path())).await.err().unwrap().to_string();
    assert!(error.contains("cannot be read") && error.contains("remove the folder"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "something else entirely");
}
