//! Builds an empty database from the migrations, so that `sqlx::query!` can check every statement
//! against the real schema while the crate compiles. No server and no tool is needed.

use std::{env, path::Path};

use sqlx::{migrate::Migrator, sqlite::SqliteConnectOptions};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=migrations");

    let file = Path::new(&env::var("OUT_DIR")?).join("schema.db");
    let _ = std::fs::remove_file(&file);
    let options = SqliteConnectOptions::new()
        .filename(&file)
        .create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await?;
    Migrator::new(Path::new("migrations"))
        .await?
        .run(&pool)
        .await?;
    pool.close().await;

    println!("cargo:rustc-env=DATABASE_URL=sqlite://{}", file.display());
    Ok(())
}
