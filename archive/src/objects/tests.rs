//! One body of demands, made of every store; and what the archive's helpers do when a store fails.

use object_store::memory::InMemory;

use super::*;

/// What the archive relies on, whatever is beneath.
async fn conformance(objects: &Objects) {
    let same =
        |key: &'static str, bytes: Bytes| async move { assert_eq!(objects.get(key).await.unwrap(), bytes, "{key}") };
    objects.put_new("a/one", "first".into()).await.unwrap();
    objects.put_new("a/one", "first".into()).await.unwrap();
    for other in ["other", "longer than it was"] {
        assert!(matches!(objects.put_new("a/one", other.into()).await, Err(Error::Refused(_))));
    }
    same("a/one", "first".into()).await;
    assert_eq!(objects.get_range("a/one", 1..3).await.unwrap(), "ir");
    assert_eq!(objects.get_range("a/one", 3..3).await.unwrap(), "");
    assert!(objects.get_range("a/one", 3..9).await.is_err());
    assert_eq!(objects.len("a/one").await.unwrap(), 5);
    assert!(matches!(objects.get("a/none").await, Err(Error::NotFound(_))));
    assert!(matches!(objects.get_range("a/none", 0..1).await, Err(Error::NotFound(_))));
    assert!(!objects.exists("a/none").await.unwrap());
    assert!(objects.put_new("../up", "".into()).await.is_err());

    for bytes in [0, 5, (8 << 20) - 1, 8 << 20, (8 << 20) + 1, 20 << 20] {
        let key = format!("b/{bytes:09}");
        let content: Bytes = (0..bytes).map(|n: usize| (n / 251) as u8).collect::<Vec<_>>().into();
        let mut writer = objects.writer(&key).await.unwrap();
        for piece in content.chunks(3_000_001) {
            writer.write(content.slice_ref(piece)).await.unwrap();
            assert!(!objects.exists(&key).await.unwrap(), "seen before it is whole");
        }
        assert_eq!(writer.finish().await.unwrap(), bytes as u64);
        assert!(objects.get(&key).await.unwrap() == content, "{key}");
        assert!(matches!(objects.writer(&key).await, Err(Error::Refused(_))));
    }

    let mut dropped = objects.writer("c/dropped").await.unwrap();
    dropped.write(vec![1; 9 << 20].into()).await.unwrap();
    drop(dropped);
    tokio::task::yield_now().await;
    assert!(!objects.exists("c/dropped").await.unwrap());

    let names: Vec<_> = objects.list("b").await.unwrap().into_iter().map(|listed| (listed.key, listed.len)).collect();
    assert_eq!((names.len(), names[1].clone()), (6, ("b/000000005".to_owned(), 5)));
    assert_eq!(objects.list("").await.unwrap().len(), 7);
    let streamed: Vec<Bytes> = objects.stream("b/000000005").await.unwrap().try_collect().await.unwrap();
    assert_eq!(streamed.concat(), [0; 5]);
    objects.delete("a/one").await.unwrap();
    objects.delete("a/one").await.unwrap();
    assert!(objects.list("a").await.unwrap().is_empty());
}

#[tokio::test]
async fn memory_conforms() {
    conformance(&Objects::over(Arc::new(InMemory::new()))).await;
}

#[tokio::test]
async fn a_local_directory_conforms_and_leaves_no_scraps() {
    let dir = tempfile::tempdir().unwrap();
    let objects = Objects::local(&dir.path().join("below/objects")).unwrap();
    conformance(&objects).await;
    let scraps = std::fs::read_dir(dir.path().join("below/objects/c")).map_or(0, |left| left.count());
    assert_eq!(scraps, 0, "an upload that was dropped left a file");
    assert!(objects.store().to_string().contains("LocalFileSystem"));
}

#[tokio::test]
async fn a_faulty_store_without_a_fault_conforms() {
    let faulty = Faulty::new(Arc::new(InMemory::new()), Fault::Never, 1);
    conformance(&Objects::over(Arc::new(faulty.clone()))).await;
    assert!(faulty.writes() > 10);
}

#[tokio::test]
async fn each_fault_strikes_once_where_it_should() {
    // Proves for every write of a three-part upload and a put that the fault is answered, that no half object appears
    // from an upload, and that all is well after it (a full disk excepted).
    let run = async |fault: Fault| {
        let faulty = Faulty::new(Arc::new(InMemory::new()), fault, 7);
        let objects = Objects::over(Arc::new(faulty.clone()));
        let mut errors = 0;
        for (key, bytes) in [("large", 20 << 20), ("small", 1000)] {
            let mut writer = objects.writer(key).await.unwrap();
            let mut done = Ok(0);
            for _ in 0..4 {
                done = done.and(writer.write(vec![7; bytes / 4].into()).await.map(|()| 0));
            }
            let done = done.and(writer.finish().await);
            errors += u64::from(done.is_err());
            if let (true, Ok(len)) = (key == "large", objects.len(key).await) {
                assert_eq!(len, 20 << 20, "{fault:?}");
            }
        }
        (faulty.writes(), errors)
    };
    assert_eq!(run(Fault::Never).await, (5, 0));
    for n in 1..=5 {
        for fault in [Fault::Fail(n), Fault::Tear(n), Fault::LoseReply(n)] {
            assert_eq!(run(fault).await.1, 1, "{fault:?}");
        }
    }
    assert_eq!(run(Fault::DiskFull(1)).await.1, 2);
    assert_eq!(run(Fault::DiskFull(6)).await.1, 0);
    let objects = Objects::over(Arc::new(Faulty::new(Arc::new(InMemory::new()), Fault::Tear(1), 7)));
    assert!(objects.put_new("torn", vec![1; 1000].into()).await.is_err());
    assert!(objects.len("torn").await.unwrap() < 1000, "a torn put leaves part of itself");
    assert!(objects.put_new("torn", vec![1; 1000].into()).await.is_err(), "and is not taken for the whole");
}
