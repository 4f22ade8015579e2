DROP TABLE history_values, history, analytics_rounds,
    analytics_contributions_daily, analytics_status_counts, analytics_items, review_comments,
    review_rounds, review_queue, submissions, project_invitations, project_members, projects, users,
    projection_checkpoints;
