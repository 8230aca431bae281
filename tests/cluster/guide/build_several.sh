#!/bin/bash
# build.sh
for db in development staging; do
echo "Building $db..."
# Create extension
psql -d "$db" -c "CREATE EXTENSION IF NOT EXISTS pg_tviews;"
# Build schema
psql -d "$db" -f schema.sql
# Convert automatically
./sql/convert_tviews.sh -d "$db"
echo "$db complete."
done
