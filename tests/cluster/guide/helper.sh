# Show what would be converted (dry run)
./sql/convert_tviews.sh -d mydb -s public --plan
# Execute conversion
./sql/convert_tviews.sh -d mydb -s public
