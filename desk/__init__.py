"""The learner's desk: notebooks as files that people edit, and that must never be lost.

pair      which half of a notebook counts, and how the other one is brought in step
edition   what the course itself has put into the notebooks, so that one can tell what a learner has
backups   what stood in a file before a command wrote into it
server    JupyterLab: brings a pair in step before it is opened, and keeps what saving would overwrite
update    a new edition of the course, with the learner's work carried over
place     which folder is the student's, where a class shares one installation
start     makes such a folder
share     makes an installation ready for a class
elsewhere the links and the first cell with which a notebook works where the course is not installed
"""
