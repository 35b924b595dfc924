//! What a server does beside answering, for as long as it lives. A duty that ends, which only a
//! mistake of ours makes it do, is begun anew: nobody would see that it is not done any more.

use std::time::Duration;

/// Until a duty that ended is begun anew.
const PAUSE: Duration = Duration::from_secs(5);

/// Does what `begin` begins, again and again.
pub fn keep<F>(name: &'static str, begin: impl Fn() -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(async move {
        loop {
            let why = match tokio::spawn(begin()).await {
                Ok(()) => "it ended".to_owned(),
                Err(error) => error.to_string(),
            };
            tracing::error!("{name} begins anew in {PAUSE:?}: {why}");
            tokio::time::sleep(PAUSE).await;
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_duty_that_breaks_down_or_ends_is_begun_anew() {
        let begun = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&begun);
        keep("counting", move || {
            let number = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                match number {
                    0 => panic!("a mistake of ours, made for a test"),
                    1 => {}
                    _ => std::future::pending().await,
                }
            }
        });
        tokio::time::sleep(PAUSE * 10).await;
        assert_eq!(begun.load(Ordering::Relaxed), 3);
    }
}
