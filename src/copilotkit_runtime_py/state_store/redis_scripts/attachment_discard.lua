drop_attachment(digest)
return 1
