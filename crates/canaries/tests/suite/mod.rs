mod files;
mod forms;
mod noise;
mod processes;
