module openim

go 1.19
