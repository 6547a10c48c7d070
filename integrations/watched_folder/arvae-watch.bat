@echo off
rem Edits every MIDI file that a DAW exports into %USERPROFILE%\arvae\in and writes the result into arvae\out, until
rem Ctrl-C. Options of "arvae edit" may follow; without any, the melody gets one more note a measure. For Windows.
if "%ARVAE_FOLDER%"=="" set "ARVAE_FOLDER=%USERPROFILE%\arvae"
if not exist "%ARVAE_FOLDER%\in" mkdir "%ARVAE_FOLDER%\in"
if not exist "%ARVAE_FOLDER%\out" mkdir "%ARVAE_FOLDER%\out"
if "%~1"=="" (arvae edit "%ARVAE_FOLDER%\in" --watch -o "%ARVAE_FOLDER%\out/" --density +1notes) else (arvae edit "%ARVAE_FOLDER%\in" --watch -o "%ARVAE_FOLDER%\out/" %*)
