//! What tests share: a server in the process, on a fresh database of any engine, and the macro that
//! runs a suite on all three. Only for tests, so it panics where the program would report.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

pub mod database;
pub mod server;

/// Makes tests of suites, `async fn suite(engine: Engine)`: each in the modules `sqlite`,
/// `postgres` and `mariadb`.
#[macro_export]
macro_rules! on_each_engine {
    ($($suite:ident),* $(,)?) => {
        $crate::on_each_engine!(@on sqlite Sqlite $($suite)*);
        $crate::on_each_engine!(@on postgres Postgres $($suite)*);
        $crate::on_each_engine!(@on mariadb Mariadb $($suite)*);
    };
    (@on $module:ident $engine:ident $($suite:ident)*) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $suite() {
                    super::$suite($crate::database::Engine::$engine).await;
                }
            )*
        }
    };
}
