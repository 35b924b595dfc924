//! One suite, three engines. `sqlite::` needs nothing; `postgres::` and `mariadb::` need a server
//! that `NUCLEON_TEST_POSTGRES` and `NUCLEON_TEST_MARIADB` name by the URL of a superuser, and fail
//! without it. Each test has a database of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod bench;
mod constraint;
mod damage;
mod file;
mod kept;
mod list;
mod mark;
mod migrate;
mod property;
mod stream;
mod thing;
mod transaction;

macro_rules! engine_tests {
    ($( $file:ident :: { $( $test:ident ),* $(,)? } )*) => {
        engine_tests!(@on sqlite $( $file :: { $( $test ),* } )*);
        engine_tests!(@on memory $( $file :: { $( $test ),* } )*);
        engine_tests!(@on postgres $( $file :: { $( $test ),* } )*);
        engine_tests!(@on mariadb $( $file :: { $( $test ),* } )*);
    };
    (@on $engine:ident $( $file:ident :: { $( $test:ident ),* } )*) => {
        mod $engine {
            $(
                mod $file {
                    $(
                        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                        async fn $test() {
                            let bench = crate::bench::Bench::$engine().await;
                            crate::$file::$test(&bench).await;
                            bench.close().await;
                        }
                    )*
                }
            )*
        }
    };
}

engine_tests! {
    transaction::{
        a_row_is_read_back_as_it_was_written,
        an_update_that_was_overtaken_is_run_again,
        an_act_that_is_always_overtaken_ends_as_unavailable,
        an_update_that_changes_nothing_writes_nothing,
        increments_of_many_tasks_are_counted_exactly,
        compare_and_swap_of_many_tasks_loses_nothing,
        however_many_change_one_row_everybody_has_his_turn,
        a_fault_of_one_undoes_nothing_of_others,
        a_dropped_transaction_leaves_nothing_behind,
        cancelled_callers_leave_whole_transactions_or_none,
        an_error_that_was_passed_over_spoils_the_transaction,
        a_write_in_a_read_is_refused,
        a_transaction_cannot_be_used_after_its_end,
        a_value_that_nobody_chose_is_not_stored,
        answers_have_the_same_types_everywhere,
        a_write_described_too_late_is_refused,
        the_deadline_ends_the_retries,
        a_connection_that_broke_is_replaced,
    }
    constraint::{
        a_violated_constraint_is_the_fault_that_was_named,
        a_violation_that_nobody_named_is_internal,
        a_violation_may_mean_run_again,
        a_foreign_key_is_named_from_both_sides,
        an_unexpected_number_of_rows_is_the_fault_that_was_named,
        a_failing_write_undoes_those_before_and_behind_it,
        ignoring_a_duplicate_hides_nothing_else,
        hostile_texts_are_only_texts,
    }
    list::{
        filters_compare_exactly,
        null_in_a_filter_stands_for_no_value,
        children_are_filtered_by_their_columns,
        children_come_in_their_order,
        a_substring_has_no_wildcards,
        tags_are_filtered_in_four_ways,
        more_values_than_an_engine_takes_at_once_are_split,
        pages_in_both_directions_are_the_sorted_whole,
        a_marker_that_is_no_row_is_refused,
        a_caller_sees_his_own_rows_and_the_shared_ones,
        only_what_is_asked_for_is_read,
    }
    damage::{
        a_damaged_column_reads_as_empty_and_the_rest_is_read,
    }
    kept::{
        a_list_follows_every_change_of_its_rows,
        a_list_that_drifted_is_found,
    }
    stream::{
        a_stream_is_the_whole_list_in_chunks,
        a_stream_that_is_dropped_holds_nothing_up,
        a_stream_can_begin_behind_a_marker,
    }
    mark::{
        marks_are_stored_with_the_commit_and_announced,
        a_mark_that_was_made_again_is_not_cleared,
        marks_of_a_failed_act_do_not_exist,
        who_finishes_a_mark_that_another_has_removed_is_told,
        a_mark_that_is_only_looked_at_again_is_no_work,
        a_deferred_mark_is_due_later,
    }
    migrate::{
        migrating_again_does_nothing,
        a_schema_of_a_newer_release_is_refused,
    }
}
