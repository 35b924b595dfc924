//! Locks: one holds, the next waits, a thief takes, and a transaction can insist.

use std::time::Duration;

use ovsdb::error::{Reason, TransactError};
use ovsdb::lock::Lock;
use ovsdb::transaction::Transaction;

use crate::house::soon;

async fn held(lock: &Lock, held: bool) {
    soon("the lock turns", lock.held().wait_for(|now| *now == held)).await.unwrap();
}

both! {
    async fn one_holds_and_the_next_gets_it_when_that_one_lets_go(house: House) {
        let (one, other) = (house.client(&[]).await, house.client(&[]).await);
        let first = one.lock("the_lock");
        held(&first, true).await;
        let second = other.lock("the_lock");
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!*second.held().borrow());
        drop(first);
        held(&second, true).await;
        // Again in line, and served when the other goes away with its connection.
        let third = one.lock("the_lock");
        other.stop().await;
        held(&second, false).await;
        held(&third, true).await;
    }

    async fn a_thief_takes_it_and_the_holder_is_told(house: House) {
        let (one, other) = (house.client(&[]).await, house.client(&[]).await);
        let first = one.lock("the_lock");
        held(&first, true).await;
        let thief = other.steal("the_lock");
        held(&thief, true).await;
        held(&first, false).await;
        let back = one.steal("the_lock");
        held(&back, true).await;
        held(&first, true).await;
        held(&thief, false).await;
    }

    async fn a_transaction_insists_on_the_lock(house: House) {
        let (one, other) = (house.client(&[]).await, house.client(&[]).await);
        let lock = one.lock("the_lock");
        held(&lock, true).await;
        let mut transaction = Transaction::new();
        transaction.assert_lock("the_lock").comment("with the lock");
        one.transact(&transaction).await.unwrap();
        let error = other.transact(&transaction).await.unwrap_err();
        let TransactError::Refused { operation, reason, .. } = error else { panic!("{error}") };
        assert_eq!((operation, reason), (Some(0), Reason::NotOwner));
    }

    async fn a_lock_is_lost_with_the_connection_and_asked_for_again(house: House) {
        let client = house.client(&[]).await;
        let lock = client.lock("the_lock");
        let twin = client.lock("the_lock");
        held(&lock, true).await;
        drop(twin);
        held(&lock, true).await;
        house.down();
        held(&lock, false).await;
        house.up();
        held(&lock, true).await;
    }
}
