% A picture without a display.
graphics_toolkit("gnuplot");
data = dlmread("/safe_data/patients.csv", ",", 1, 0);
figure("visible", "off");
plot(data(:, 2), data(:, 3), "ro", "markersize", 10, [50 90], [0 1], "b-");
xlabel("age");
print("/safe_outputs/plot.png", "-dpng", "-S640,480");
