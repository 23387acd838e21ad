//! A misbehaving way to the S3 server, for tests that are not asynchronous.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::store::proxy::{self, Fate, Proxy, Request};
use crate::support::{Bucket, S3, Sandbox};

/// A bucket, and a way to it that misbehaves.
pub struct Between {
    /// The bucket, looked at directly.
    pub bucket: Bucket,
    /// Whether it misbehaves now.
    pub broken: Arc<AtomicBool>,
    /// The first lines of the requests that came through.
    pub seen: Arc<Mutex<Vec<String>>>,
    proxy: Proxy,
    _runtime: tokio::runtime::Runtime,
}

/// A fresh bucket behind a proxy that does `fate` to the requests that `concerns` is true for, once it is broken.
pub fn between(
    concerns: impl Fn(&Request) -> bool + Send + Sync + 'static,
    fate: impl Fn(&Request) -> Fate + Send + Sync + 'static,
) -> Between {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (broken, seen) = (Arc::new(AtomicBool::new(true)), Arc::new(Mutex::new(Vec::new())));
    let (is_broken, see) = (Arc::clone(&broken), Arc::clone(&seen));
    let concerned = move |request: &Request| {
        see.lock().unwrap().push(request.line.clone());
        is_broken.load(Ordering::SeqCst) && concerns(request)
    };
    let proxy = runtime.block_on(proxy::start(concerned, fate));
    Between { bucket: S3::shared().bucket(), broken, seen, proxy, _runtime: runtime }
}

impl Between {
    /// The `[stores.offsite]` table of the bucket behind the proxy. Requests are given up after two seconds.
    pub fn store(&self, sandbox: &Sandbox) -> String {
        let mut behind = self.bucket.clone();
        behind.s3.endpoint.clone_from(&self.proxy.endpoint);
        let credentials = behind.s3.credentials_file(&sandbox.path(""));
        format!("{}part_size = '5MiB'\nrequest_timeout = '2s'\n", behind.store("offsite", &credentials))
    }

    /// It behaves from now on.
    pub fn mend(&self) {
        self.broken.store(false, Ordering::SeqCst);
    }
}

/// Requests that write a backup's data, in one piece or in parts.
pub fn writes_data(request: &Request) -> bool {
    request.line.starts_with("PUT ") && request.line.contains("/data.")
}
