//! Stored values that are not what the table says.

use serde_json::json;
use sql::dialect::Dialect;
use wire::query::Query;
use wire::types::profile::Dict;

use crate::bench::Bench;
use crate::thing::{at, everything, found, listed, store, text, thing};

pub async fn a_damaged_column_reads_as_empty_and_the_rest_is_read(bench: &Bench) {
    let (good, bad) = (thing("good"), thing("bad"));
    store(&bench.db, &[good.clone(), bad.clone()]).await.unwrap();
    let damages = ["{broken", "", "[1, 2]", "\"text\"", "[]", "12"];
    for (number, damage) in (1..).zip(damages) {
        bench.exec("UPDATE things SET data = ? WHERE name = 'bad'", &[text(damage)]).await;
        let row = found(&bench.db, bad.id).await.unwrap();
        assert_eq!(row.named("data").unwrap().to_json(), json!({}), "{damage:?}");
        assert_eq!(row.get(at::name).0, "bad");
        assert_eq!(bench.db.stats().damaged, number, "{damage:?}");
    }
    let rows = listed(&bench.db, &everything(), &Query::default()).await.unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(found(&bench.db, good.id).await.unwrap().get(at::data), good.data);
    assert_ne!(good.data, Dict::default());
    if bench.db.dialect() == Dialect::Sqlite {
        // The other engines do not let a column hold another type.
        bench
            .exec(
                "UPDATE things SET size = 'large', ready = 7, name = x'ff', note = 1.5, \
                 data = x'00' WHERE name = 'bad'",
                &[],
            )
            .await;
        let row = found(&bench.db, bad.id).await.unwrap();
        assert_eq!(row.get(at::size), None);
        assert!(!row.get(at::ready));
        assert_eq!(row.get(at::name).0, "");
        assert_eq!(row.get(at::data), Dict::default());
        assert_eq!(row.get(at::project_id).0, "p");
    }
}
