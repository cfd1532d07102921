# A picture without a display, and a table.
data <- read.csv("/safe_data/patients.csv")
png("/safe_outputs/plot.png", width = 640, height = 480, type = "cairo")
plot(data$age, data$outcome, col = "red", pch = 19, xlab = "age", ylab = "outcome")
abline(lm(outcome ~ age, data), col = "blue")
invisible(dev.off())
write.csv(aggregate(age ~ outcome, data, mean), "/safe_outputs/means.csv", row.names = FALSE)
