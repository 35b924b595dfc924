//! Transactions: their outcomes, their errors, and that the replica shows them when they return.

use ovsdb::condition::Condition;
use ovsdb::error::{Reason, TransactError};
use ovsdb::transaction::{Mutator, Outcome, Transaction, Until};
use ovsdb::value::Datum;
use uuid::Uuid;

const SWITCHES: &[(&str, &[&str])] =
    &[("Logical_Switch", &["name", "ports", "external_ids"]), ("Logical_Switch_Port", &["name"])];

fn named(name: &str) -> [(&'static str, Datum); 1] {
    [("name", Datum::one(name))]
}

fn reason(error: TransactError) -> (Option<usize>, Reason) {
    match error {
        TransactError::Refused { operation, reason, details } => {
            assert!(!details.is_empty());
            (operation, reason)
        }
        other => panic!("{other}"),
    }
}

both! {
    async fn what_was_inserted_is_in_the_replica_when_the_outcome_comes(house: House) {
        let client = house.client(SWITCHES).await;
        for number in 0..50 {
            let uuid = Uuid::new_v4();
            let mut transaction = Transaction::new();
            transaction.insert("Logical_Switch", uuid, named(&format!("s{number}")));
            let outcomes = client.transact(&transaction).await.unwrap();
            assert_eq!(outcomes, [Outcome::Inserted(uuid)]);
            let replica = client.read().unwrap();
            let row = replica.row("Logical_Switch", uuid).unwrap();
            assert_eq!(row.text("name"), Some(format!("s{number}").as_str()));
            assert_eq!(replica.count("Logical_Switch"), number + 1);
        }
    }

    async fn every_operation_has_its_outcome(house: House) {
        let client = house.client(SWITCHES).await;
        let (switch, port) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let pair = Datum::map([("a", "b")]);
        let called = [Condition::equal("name", Datum::one("s"))];
        let mut transaction = Transaction::new();
        transaction
            .insert("Logical_Switch", switch, [("ports", Datum::one(port))])
            .insert("Logical_Switch_Port", port, named("p"))
            .update("Logical_Switch", switch, named("s"))
            .mutate("Logical_Switch", switch, "external_ids", Mutator::Insert, pair)
            .wait("Logical_Switch", switch, &named("s"), Until::Is, 0)
            .comment("a test")
            .select("Logical_Switch", &called, &["name", "ports"])
            .update("Logical_Switch", Uuid::from_u128(9), named("nobody"));
        let outcomes = client.transact(&transaction).await.unwrap();
        let found = vec![
            ("name".to_owned(), Datum::one("s")), ("ports".to_owned(), Datum::one(port)),
        ];
        assert_eq!(outcomes, [
            Outcome::Inserted(switch),
            Outcome::Inserted(port),
            Outcome::Changed(1),
            Outcome::Changed(1),
            Outcome::Done,
            Outcome::Done,
            Outcome::Selected(vec![found]),
            Outcome::Changed(0),
        ]);
        let replica = client.read().unwrap();
        let row = replica.row("Logical_Switch", switch).unwrap();
        assert_eq!(row.get("external_ids").text_at("a"), Some("b"));
        let referrers = replica.referrers("Logical_Switch", "ports", port);
        assert_eq!(referrers.collect::<Vec<_>>(), [switch]);
    }

    async fn a_refusal_names_its_operation_and_its_kind(house: House) {
        let client = house.client(SWITCHES).await;
        let uuid = Uuid::from_u128(1);
        let mut before = Transaction::new();
        before.insert("Logical_Switch", uuid, named("s"));
        client.transact(&before).await.unwrap();
        let refused = async |make: &dyn Fn(&mut Transaction)| {
            let mut transaction = Transaction::new();
            transaction.comment("first");
            make(&mut transaction);
            reason(client.transact(&transaction).await.unwrap_err())
        };
        let fresh = Uuid::from_u128(2);
        let nowhere = [("ports", Datum::one(Uuid::from_u128(404)))];
        let unknown = [("nonesuch", Datum::none())];
        assert_eq!(
            refused(&|t| { t.insert("Logical_Switch", uuid, named("other")); }).await,
            (Some(1), Reason::DuplicateUuid)
        );
        assert_eq!(
            refused(&|t| { t.insert("ACL", fresh, [("priority", Datum::one(99_999))]); }).await,
            (Some(1), Reason::Constraint)
        );
        assert_eq!(
            refused(&|t| { t.insert("Logical_Switch", fresh, nowhere.clone()); }).await,
            (None, Reason::Referential)
        );
        assert_eq!(
            refused(&|t| {
                t.insert("Port_Group", fresh, named("g"));
                t.insert("Port_Group", Uuid::from_u128(3), named("g"));
            }).await,
            (None, Reason::Constraint)
        );
        assert_eq!(
            refused(&|t| { t.insert("Logical_Switch", fresh, unknown.clone()); }).await,
            (Some(1), Reason::Syntax)
        );
        assert_eq!(
            refused(&|t| { t.wait("Logical_Switch", uuid, &named("x"), Until::Is, 0); }).await,
            (Some(1), Reason::WaitTimedOut)
        );
        assert_eq!(refused(&|t| { t.assert_lock("l"); }).await, (Some(1), Reason::NotOwner));
        assert_eq!(client.read().unwrap().count("Logical_Switch"), 1);
    }
}
