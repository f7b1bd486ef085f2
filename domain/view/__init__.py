"""Pictures, plots and the report page, for people who would rather look than read."""
