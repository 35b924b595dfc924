//! How a server carries out transactions: the same on the real `ovsdb-server` and on the one in the
//! process.

use serde_json::{Value as Json, json};

use crate::house::{House, Wire, assert_fits, name, uuid};

on_both!(
    a_chosen_uuid_is_kept_and_cannot_be_doubled,
    names_stand_for_rows_of_the_same_transaction,
    values_are_held_against_the_schema,
    malformed_operations_name_what_is_wrong,
    an_immutable_column_is_never_written_again,
    an_index_keeps_rows_apart,
    a_table_takes_no_more_rows_than_it_may,
    a_strong_reference_needs_its_row,
    rows_that_nothing_keeps_are_collected,
    weak_references_vanish_with_their_row,
    numbers_are_calculated,
    members_come_and_go,
    clauses_choose_rows,
    nothing_of_a_refused_transaction_happens,
    a_wait_with_timeout_zero_is_a_comparison,
    a_wait_is_fulfilled_by_another,
    a_wait_times_out,
    a_row_can_be_replaced_by_one_with_another_uuid,
);

fn insert(table: &str, number: u128, row: Json) -> Json {
    json!({ "op": "insert", "table": table, "uuid": name(number), "row": row })
}

fn update(table: &str, number: u128, row: Json) -> Json {
    json!({ "op": "update", "table": table, "where": [["_uuid", "==", uuid(number)]], "row": row })
}

fn delete(table: &str, number: u128) -> Json {
    json!({ "op": "delete", "table": table, "where": [["_uuid", "==", uuid(number)]] })
}

fn mutate(table: &str, number: u128, mutations: Json) -> Json {
    let only = json!([["_uuid", "==", uuid(number)]]);
    json!({ "op": "mutate", "table": table, "where": only, "mutations": mutations })
}

fn select(table: &str, clauses: Json, columns: Json) -> Json {
    json!({ "op": "select", "table": table, "where": clauses, "columns": columns })
}

/// The transaction's only, or last, error.
async fn refused(wire: &mut Wire, operations: &[Json], error: &str) -> String {
    let results = wire.transact(operations).await;
    let results = results.as_array().unwrap();
    let found = results.iter().find(|result| result.get("error").is_some());
    let found = found.unwrap_or_else(|| panic!("{operations:?} was not refused: {results:?}"));
    assert_eq!(found["error"], error, "{operations:?}: {found}");
    found["details"].as_str().unwrap_or_default().to_owned()
}

async fn done(wire: &mut Wire, operations: &[Json]) -> Json {
    let results = wire.transact(operations).await;
    let list = results.as_array().unwrap();
    assert!(
        list.len() == operations.len()
            && list.iter().all(|result| result.is_object() && result.get("error").is_none()),
        "{results}"
    );
    results
}

/// A cage 10 with an animal 20 and its keeper 1.
async fn furnish(wire: &mut Wire) {
    let operations = [
        insert("Keeper", 1, json!({ "name": "k1" })),
        insert("Animal", 20, json!({ "name": "a", "keeper": uuid(1), "legs": 4 })),
        insert("Cage", 10, json!({ "name": "c1", "animals": uuid(20), "favourite": uuid(20) })),
    ];
    done(wire, &operations).await;
}

async fn a_chosen_uuid_is_kept_and_cannot_be_doubled(house: &House) {
    let wire = &mut house.connect().await;
    let cage = insert("Cage", 10, json!({ "name": "c1" }));
    let results = done(wire, std::slice::from_ref(&cage)).await;
    assert_fits(&results, &json!([{ "uuid": uuid(10) }]));
    refused(wire, &[insert("Cage", 10, json!({ "name": "c2" }))], "duplicate uuid").await;
    // Not even in the transaction that deletes it.
    refused(wire, &[delete("Cage", 10), cage], "duplicate uuid").await;
    // Each table has its own.
    done(wire, &[insert("Keeper", 10, json!({}))]).await;
    let wrong = json!({ "op": "insert", "table": "Cage", "uuid": "x", "row": { "name": "c3" } });
    refused(wire, &[wrong], "syntax error").await;
    let twice = insert("Cage", 11, json!({ "name": "c4" }));
    refused(wire, &[twice.clone(), twice], "duplicate uuid").await;
}

async fn names_stand_for_rows_of_the_same_transaction(house: &House) {
    let wire = &mut house.connect().await;
    done(wire, &[insert("Keeper", 1, json!({}))]).await;
    let cage = json!({ "op": "insert", "table": "Cage",
                       "row": { "name": "c1", "animals": ["named-uuid", "later"] } });
    let animal = |name: &str| {
        json!({ "op": "insert", "table": "Animal", "uuid-name": name,
                "row": { "keeper": uuid(1) } })
    };
    let results = done(wire, &[cage, animal("later")]).await;
    let rows = done(wire, &[select("Cage", json!([]), json!(["animals"]))]).await;
    assert_eq!(rows[0]["rows"][0]["animals"], results[1]["uuid"]);
    refused(wire, &[animal("twice"), animal("twice")], "duplicate uuid-name").await;
    refused(wire, &[animal("1 is no name")], "syntax error").await;
    let never = json!({ "name": "c2", "animals": ["named-uuid", "never"] });
    refused(wire, &[insert("Cage", 12, never)], "referential integrity violation").await;
}

async fn values_are_held_against_the_schema(house: &House) {
    let wire = &mut house.connect().await;
    let constraint = "constraint violation";
    let cases = [
        (json!({ "name": 1 }), "syntax error", "expected string"),
        (json!({ "size": 101 }), constraint, "101 is not in the valid range 0 to 100"),
        (json!({ "size": ["set", [1, 2]] }), "syntax error", "0 to 1 members but 2"),
        (json!({ "tags": ["set", ["a", "b", "c", "d"]] }), "syntax error", "0 to 3 members"),
        (json!({ "tags": ["set", ["a", "a"]] }), "ovsdb error", "set contains duplicate"),
        (json!({ "notes": ["map", [["a", "b"], ["a", "c"]]] }), "ovsdb error", "duplicate key"),
        (json!({ "notes": "x" }), "syntax error", "expected [\"map\""),
        (json!({ "notes": ["set", []] }), "syntax error", "expected [\"map\""),
        (json!({ "favourite": ["uuid", "x"] }), "syntax error", "not a valid UUID"),
        (json!({ "nothing": 1 }), "unknown column", "No column nothing in table Cage."),
    ];
    for (row, error, details) in cases {
        let said = refused(wire, &[insert("Cage", 10, row)], error).await;
        assert!(said.contains(details), "{said}");
    }
    let cases = [
        (json!({ "kind": "cow" }), "cow is not one of the allowed values ([cat, dog])"),
        (json!({ "code": "toolong" }), "length 7 is greater than maximum allowed length 5"),
        (json!({ "code": "" }), "length 0 is less than minimum allowed length 1"),
    ];
    for (row, details) in cases {
        let said = refused(wire, &[insert("Animal", 20, row)], constraint).await;
        assert!(said.contains(details), "{said}");
    }
    // What is not given must be allowed too.
    refused(wire, &[insert("Gate", 30, json!({}))], constraint).await;
    done(wire, &[insert("Gate", 30, json!({ "state": "open" }))]).await;
}

async fn malformed_operations_name_what_is_wrong(house: &House) {
    let wire = &mut house.connect().await;
    let table = "Keeper";
    let cases = [
        (json!("x"), "syntax error", "Object expected."),
        (json!({ "op": "dance" }), "syntax error", "No operation \"dance\""),
        (json!({ "op": "insert", "table": "None", "row": {} }), "syntax error", "No table named"),
        (json!({ "op": "insert", "table": table }), "syntax error", "'row' member is missing"),
        (
            json!({ "op": "insert", "table": table, "row": {}, "more": 1 }),
            "syntax error",
            "Member 'more' is present but not allowed here.",
        ),
        (select(table, json!([["name"]]), json!([])), "syntax error", "Parse error in condition."),
        (select(table, json!([["no", "==", 1]]), json!([])), "unknown column", "No column no"),
        (select(table, json!([["name", "~", ""]]), json!([])), "unknown function", "No function"),
        (select(table, json!([["name", ">", ""]]), json!([])), "syntax error", "Type mismatch"),
        (select(table, json!([]), json!(["no"])), "syntax error", "no is not a valid column name"),
        (mutate(table, 1, json!([["name", "~", 1]])), "unknown mutator", "No mutator named ~."),
        (mutate(table, 1, json!([["name", "insert", "x"]])), "syntax error", "Type mismatch"),
        (json!({ "op": "abort" }), "aborted", "aborted by request"),
        (json!({ "op": "assert", "lock": "l" }), "not owner", "Asserted lock l not held."),
    ];
    for (operation, error, details) in cases {
        let said = refused(wire, &[operation], error).await;
        assert!(said.contains(details), "{said}");
    }
}

async fn an_immutable_column_is_never_written_again(house: &House) {
    let wire = &mut house.connect().await;
    furnish(wire).await;
    // Not even when it stays the same.
    for name in ["c1", "c2"] {
        let said =
            refused(wire, &[update("Cage", 10, json!({ "name": name }))], "constraint violation")
                .await;
        assert!(said.contains("Cannot update immutable column name in table Cage."), "{said}");
    }
    let said = mutate("Cage", 10, json!([["name", "insert", "c2"]]));
    let said = refused(wire, &[said], "constraint violation").await;
    assert!(said.contains("Cannot mutate immutable column name in table Cage."), "{said}");
    let own = update("Cage", 10, json!({ "_uuid": uuid(11) }));
    refused(wire, &[own], "constraint violation").await;
}

async fn an_index_keeps_rows_apart(house: &House) {
    let wire = &mut house.connect().await;
    furnish(wire).await;
    let said =
        refused(wire, &[insert("Cage", 11, json!({ "name": "c1" }))], "constraint violation").await;
    assert!(said.contains("identical values (c1) for index on column \"name\""), "{said}");
    let two = [11, 12].map(|number| insert("Cage", number, json!({ "name": "c2" })));
    refused(wire, &two, "constraint violation").await;
    // The error comes after the results, since only the end shows it.
    assert_fits(
        &wire.transact(&two).await,
        &json!([{ "uuid": "*" }, { "uuid": "*" }, { "error": "constraint violation" }]),
    );
}

async fn a_row_can_be_replaced_by_one_with_another_uuid(house: &House) {
    let wire = &mut house.connect().await;
    furnish(wire).await;
    done(wire, &[delete("Cage", 10), insert("Cage", 11, json!({ "name": "c1" }))]).await;
    refused(wire, &[insert("Cage", 12, json!({ "name": "c1" }))], "constraint violation").await;
    done(wire, &[delete("Cage", 11)]).await;
    done(wire, &[insert("Cage", 12, json!({ "name": "c1" }))]).await;
}

async fn a_table_takes_no_more_rows_than_it_may(house: &House) {
    let wire = &mut house.connect().await;
    let three = [1, 2, 3].map(|number| insert("Keeper", number, json!({})));
    let said = refused(wire, &three, "constraint violation").await;
    assert!(said.contains("\"Keeper\" table to contain 3 rows"), "{said}");
    done(wire, &three[..2]).await;
    refused(wire, &three[2..], "constraint violation").await;
    done(wire, &[delete("Keeper", 1), three[2].clone()]).await;
}

async fn a_strong_reference_needs_its_row(house: &House) {
    let wire = &mut house.connect().await;
    furnish(wire).await;
    let integrity = "referential integrity violation";
    let said = refused(wire, &[delete("Animal", 20)], integrity).await;
    assert!(said.contains("because of 1 remaining reference(s)"), "{said}");
    let said =
        refused(wire, &[update("Cage", 10, json!({ "animals": uuid(21) }))], integrity).await;
    assert!(said.contains(&format!("references nonexistent row {}", name(21))), "{said}");
    done(wire, &[delete("Animal", 20), update("Cage", 10, json!({ "animals": ["set", []] }))])
        .await;
}

async fn rows_that_nothing_keeps_are_collected(house: &House) {
    let wire = &mut house.connect().await;
    furnish(wire).await;
    let animal = |number, friends| {
        insert("Animal", number, json!({ "keeper": uuid(1), "friends": friends }))
    };
    // Nobody refers to it, not even for a moment.
    done(wire, &[animal(30, json!(["set", []]))]).await;
    // A chain on the first animal, and one that is only its own friend.
    let chain = [
        animal(21, json!(["set", []])),
        animal(22, uuid(21)),
        animal(23, uuid(23)),
        update("Animal", 20, json!({ "friends": uuid(22) })),
    ];
    done(wire, &chain).await;
    let all = select("Animal", json!([]), json!(["_uuid"]));
    let left = done(wire, std::slice::from_ref(&all)).await;
    let mut left: Vec<String> =
        left[0]["rows"].as_array().unwrap().iter().map(|row| row["_uuid"].to_string()).collect();
    left.sort();
    assert_eq!(left, [20, 21, 22].map(|number| uuid(number).to_string()));
    done(wire, &[delete("Cage", 10)]).await;
    assert_eq!(done(wire, &[all]).await, json!([{ "rows": [] }]));
}

async fn weak_references_vanish_with_their_row(house: &House) {
    let wire = &mut house.connect().await;
    furnish(wire).await;
    done(wire, &[update("Cage", 10, json!({ "animals": ["set", []] }))]).await;
    let favourite = select("Cage", json!([]), json!(["favourite"]));
    let none = json!([{ "rows": [{ "favourite": ["set", []] }] }]);
    assert_eq!(done(wire, std::slice::from_ref(&favourite)).await, none);
    // One that never was there is taken out at once.
    done(wire, &[update("Cage", 10, json!({ "favourite": uuid(99) }))]).await;
    assert_eq!(done(wire, &[favourite]).await, none);
    // Where one is needed, the other cannot go.
    let animal = insert("Animal", 22, json!({ "keeper": uuid(1) }));
    done(wire, &[animal, update("Cage", 10, json!({ "animals": uuid(22) }))]).await;
    let said = refused(wire, &[delete("Keeper", 1)], "constraint violation").await;
    assert!(said.contains("caused this column to become empty"), "{said}");
}

async fn numbers_are_calculated(house: &House) {
    let wire = &mut house.connect().await;
    furnish(wire).await;
    let steps = json!([
        ["legs", "+=", 1],
        ["legs", "*=", 3],
        ["legs", "/=", 2],
        ["legs", "%=", 4],
        ["legs", "-=", 5]
    ]);
    let results =
        done(wire, &[mutate("Animal", 20, steps), select("Animal", json!([]), json!(["legs"]))])
            .await;
    assert_eq!(results, json!([{ "count": 1 }, { "rows": [{ "legs": -2 }] }]));
    // Nothing of nothing is nothing.
    done(wire, &[mutate("Animal", 20, json!([["weight", "+=", 1.5]]))]).await;
    let cases = [
        (json!([["legs", "/=", 0]]), "domain error"),
        (json!([["legs", "*=", i64::MAX]]), "range error"),
        (json!([["legs", "+=", "x"]]), "syntax error"),
    ];
    for (mutations, error) in cases {
        refused(wire, &[mutate("Animal", 20, mutations)], error).await;
    }
    done(wire, &[update("Cage", 10, json!({ "size": 99 }))]).await;
    let said = mutate("Cage", 10, json!([["size", "+=", 10]]));
    let said = refused(wire, &[said], "constraint violation").await;
    assert!(said.contains("109 is not in the valid range 0 to 100"), "{said}");
}

async fn members_come_and_go(house: &House) {
    let wire = &mut house.connect().await;
    furnish(wire).await;
    let notes = json!(["map", [["a", "1"], ["b", "2"], ["c", "3"]]]);
    let again = json!(["map", [["a", "other"], ["d", "4"]]]);
    let operations = [
        mutate("Cage", 10, json!([["tags", "insert", ["set", ["x", "y"]]]])),
        mutate("Cage", 10, json!([["tags", "insert", "y"], ["tags", "delete", "x"]])),
        mutate("Cage", 10, json!([["notes", "insert", notes]])),
        // A key that is there keeps its value.
        mutate("Cage", 10, json!([["notes", "insert", again]])),
        // By key, and by key and value.
        mutate("Cage", 10, json!([["notes", "delete", ["set", ["b"]]]])),
        mutate("Cage", 10, json!([["notes", "delete", ["map", [["c", "no"], ["d", "4"]]]]])),
        select("Cage", json!([]), json!(["tags", "notes"])),
    ];
    let results = done(wire, &operations).await;
    let left = json!({ "tags": "y", "notes": ["map", [["a", "1"], ["c", "3"]]] });
    assert_eq!(results[6]["rows"][0], left);
    let many = mutate("Cage", 10, json!([["tags", "insert", ["set", ["p", "q", "r"]]]]));
    refused(wire, &[many], "constraint violation").await;
}

async fn clauses_choose_rows(house: &House) {
    let wire = &mut house.connect().await;
    let cages = [
        insert("Cage", 10, json!({ "name": "a", "size": 1, "tags": ["set", ["x", "y"]] })),
        insert("Cage", 11, json!({ "name": "b", "size": 2, "notes": ["map", [["k", "v"]]] })),
        insert("Cage", 12, json!({ "name": "c" })),
    ];
    done(wire, &cages).await;
    let cases = [
        (json!([]), "abc"),
        (json!([true]), "abc"),
        (json!([false]), ""),
        (json!([["name", "==", "b"]]), "b"),
        (json!([["name", "!=", "b"], ["name", "!=", "c"]]), "a"),
        (json!([["name", "includes", "c"]]), "c"),
        (json!([["_uuid", "==", uuid(12)]]), "c"),
        (json!([["_uuid", "!=", uuid(12)]]), "ab"),
        (json!([["size", ">", 1]]), "b"),
        (json!([["size", "<=", 2]]), "ab"),
        (json!([["size", "==", ["set", []]]]), "c"),
        (json!([["tags", "includes", "x"]]), "a"),
        (json!([["tags", "excludes", "x"]]), "bc"),
        (json!([["tags", "includes", ["set", []]]]), "abc"),
        (json!([["tags", "==", ["set", ["y", "x"]]]]), "a"),
        (json!([["notes", "includes", ["map", [["k", "v"]]]]]), "b"),
        (json!([["notes", "excludes", ["map", [["k", "v"]]]]]), "ac"),
        (json!([["notes", "includes", ["map", [["k", "w"]]]]]), ""),
    ];
    for (clauses, expected) in cases {
        let results = done(wire, &[select("Cage", clauses.clone(), json!(["name"]))]).await;
        let rows = results[0]["rows"].as_array().unwrap();
        let mut names: Vec<&str> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names.concat(), expected, "{clauses}");
    }
}

async fn nothing_of_a_refused_transaction_happens(house: &House) {
    let wire = &mut house.connect().await;
    let operations = [
        insert("Cage", 10, json!({ "name": "a" })),
        json!({ "op": "abort" }),
        insert("Cage", 11, json!({ "name": "b" })),
    ];
    let results = wire.transact(&operations).await;
    assert_fits(&results, &json!([{ "uuid": "*" }, { "error": "aborted" }, null]));
    let left = done(wire, &[select("Cage", json!([]), json!(["name"]))]).await;
    assert_eq!(left, json!([{ "rows": [] }]));
}

fn wait(until: &str, timeout: u64, value: &str) -> Json {
    json!({ "op": "wait", "table": "Cage", "where": [["_uuid", "==", uuid(10)]],
            "columns": ["tags"], "until": until, "rows": [{ "tags": value }],
            "timeout": timeout })
}

async fn a_wait_with_timeout_zero_is_a_comparison(house: &House) {
    let wire = &mut house.connect().await;
    done(wire, &[insert("Cage", 10, json!({ "name": "a", "tags": "t1" }))]).await;
    let change = update("Cage", 10, json!({ "tags": "t2" }));
    done(wire, &[wait("!=", 0, "t2"), wait("==", 0, "t1"), change.clone()]).await;
    let results = wire.transact(&[wait("==", 0, "t1"), change]).await;
    assert_fits(&results, &json!([{ "error": "timed out" }, null]));
    // What the transaction itself has changed counts.
    let change = update("Cage", 10, json!({ "tags": "t3" }));
    done(wire, &[change, wait("==", 0, "t3")]).await;
    // No row at all.
    let nobody = json!({ "op": "wait", "table": "Cage", "where": [["name", "==", "nobody"]],
                         "columns": ["name"], "until": "==", "rows": [], "timeout": 0 });
    done(wire, &[nobody]).await;
    // One key of a map.
    done(wire, &[update("Cage", 10, json!({ "notes": ["map", [["a", "1"], ["b", "2"]]] }))]).await;
    let key = |value: &str| {
        json!({ "op": "wait", "table": "Cage", "columns": ["_uuid"], "until": "==", "timeout": 0,
                "where": [["_uuid", "==", uuid(10)],
                          ["notes", "includes", ["map", [["a", value]]]]],
                "rows": [{ "_uuid": uuid(10) }] })
    };
    done(wire, &[key("1")]).await;
    refused(wire, &[key("2")], "timed out").await;
}

async fn a_wait_is_fulfilled_by_another(house: &House) {
    let (wire, other) = (&mut house.connect().await, &mut house.connect().await);
    done(wire, &[insert("Cage", 10, json!({ "name": "a", "tags": "t1" }))]).await;
    let id = wire.send("transact", json!(["Zoo", wait("==", 5000, "t2")])).await;
    assert_eq!(wire.soon().await, None);
    // The session goes on meanwhile.
    assert_eq!(wire.call("echo", json!([1])).await, json!([1]));
    done(other, &[update("Cage", 10, json!({ "tags": "t2" }))]).await;
    assert_eq!(wire.reply(id).await["result"], json!([{}]));
}

async fn a_wait_times_out(house: &House) {
    let wire = &mut house.connect().await;
    done(wire, &[insert("Cage", 10, json!({ "name": "a", "tags": "t1" }))]).await;
    let began = std::time::Instant::now();
    let said = refused(wire, &[wait("==", 50, "t2")], "timed out").await;
    assert!(said.contains("\"wait\" timed out after"), "{said}");
    assert!(began.elapsed().as_millis() >= 50);
}
