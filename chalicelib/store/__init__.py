"""REMEMBER: the tables and the shape of what is kept in them. The only room that names DynamoDB."""
